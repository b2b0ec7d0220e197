"""The parts of an MLflow server, where it has parts: which one is asked, and what it says of it."""

import os
import re

# What a server says, and the client of one that has none.
_NO_WORKSPACE = re.compile(r"Workspace (name )?'[^']*' (not found|must )|Active workspace ('|is r)")


def read_workspace() -> str:
    """Return the part that this process looks at; empty is the server's default one."""
    return os.environ.get("MLFLOW_WORKSPACE", "").strip()


def is_about_workspaces(error: Exception) -> bool:
    """Whether it is not the thing that is missing or wrong, but where it is looked for."""
    return bool(_NO_WORKSPACE.search(str(error)))
