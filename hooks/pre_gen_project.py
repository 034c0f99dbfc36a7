"""Refuse what cannot work before anything is written: bad answers, and a disk without room."""

import os
import sys

# cookiecutter asks no question when it replays answers, but it renders this line: that refuses them all the same.
ANSWERS_ACCEPTED = "{{ cookiecutter | refuse_bad_answers }}"

ROOM = 512 * 1024  # bytes, more than twice what a project takes


def room_problem():
    """Refuse a disk on which the project has no room: cookiecutter would leave there what still fits."""
    try:
        with open(".probe", "wb") as file:
            file.write(bytes(ROOM))
        os.remove(".probe")
    except OSError as error:
        return f"The project cannot be written here ({error}); make room for {ROOM // 1024} KiB and generate it again."
    return None


if __name__ == "__main__":
    sys.exit(room_problem())
