"""Say what is left to do."""

import json
import sys

# JSON in a raw string: no name can end it, as each quotation mark in one stands behind a backslash.
STEPS = r"""
{{ steps(cookiecutter) | tojson }}
"""

if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a legacy code page cannot print everything
    for number, step in enumerate(json.loads(STEPS), 1):
        print(f"{number}. {step}")
