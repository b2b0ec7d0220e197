"""Conversations with servers, bounded in time and size whatever a server does."""
