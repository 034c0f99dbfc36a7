"""Refuse a folder that is no Django project."""

import sys
from pathlib import Path

if __name__ == "__main__" and not Path("..", "manage.py").exists():
    sys.exit("There is no manage.py here; go to the folder of your Django project that has it, and try again.")
