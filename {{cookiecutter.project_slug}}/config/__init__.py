"""The project's settings, URLs and entry points."""

import re
import sys
from typing import NoReturn

from environs import EnvError


def refuse_to_start(error: EnvError, status: int = 1) -> NoReturn:
    """End the process with the one sentence that says which environment variable stops it."""
    sentence = re.sub(r"\['(.*?)\.?'\]|\.$", r"\1", str(error))
    print(f"{sentence}. The file .env.example explains each variable.", file=sys.stderr)
    sys.exit(status)
