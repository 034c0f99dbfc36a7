"""Refuse a cookiecutter that does not know the template's rules; cookiecutter 1 gets as far as this."""

import sys

RULES = "{{ cookiecutter._extensions | default('') }}"

if not RULES:
    sys.exit("This template needs cookiecutter 2.2.3 or later; run the newest by uvx cookiecutter.")
