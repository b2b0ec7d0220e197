"""How a new version takes over: strategies, traffic providers, controllers, scalers as records."""
