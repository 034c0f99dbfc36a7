"""Measure what generating a project costs beside the least that cookiecutter can take.

The reference is a template of one file with two empty hooks. Both are generated in turn, so that whatever else the
machine does falls on both alike, and in memory where there is a folder for that: how fast a disk makes files depends on
what was removed from it in the last minutes (ext4 passes their places over). TMPDIR names a folder to use instead.

    uv run benchmarks/generation.py [ROUNDS]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15
MEMORY = Path("/dev/shm")  # noqa: S108  the files in it belong to a folder of their own


def reference_template(folder):
    """Write the template of one file with two empty hooks and return its folder."""
    (folder / "hooks").mkdir(parents=True)
    (folder / "{{cookiecutter.project_slug}}").mkdir()
    (folder / "cookiecutter.json").write_text(json.dumps({"project_slug": "my_project"}), encoding="utf-8")
    (folder / "{{cookiecutter.project_slug}}" / "README.md").write_text("Hello\n", encoding="utf-8")
    for hook in ("pre_gen_project.py", "post_gen_project.py"):
        (folder / "hooks" / hook).write_text("", encoding="utf-8")
    return folder


def seconds(output, template, *answers):
    """Generate once into a folder, by the command, and return how long it took."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(output), str(template), *answers]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main():
    """Print the medians and their ratio to the reference."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    in_memory = MEMORY.is_dir() and "TMPDIR" not in os.environ
    with tempfile.TemporaryDirectory(dir=MEMORY if in_memory else None) as folder:
        reference = reference_template(Path(folder) / "reference")
        candidates = {
            "one file, two empty hooks": (reference,),
            "this template, default answers": (ROOT,),
            "this template, Europe/Berlin": (ROOT, "time_zone=Europe/Berlin"),
        }
        times = {name: [] for name in candidates}
        for number in range(rounds):
            print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
            for place, (name, arguments) in enumerate(candidates.items()):
                # All are removed at the end, so that no removal delays what is made after it.
                times[name].append(seconds(Path(folder) / f"{number}-{place}", *arguments))
        print(file=sys.stderr)
    base = statistics.median(next(iter(times.values())))
    print("| generated | median | x reference |\n| --- | --- | --- |")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"| {name} | {median * 1000:.0f} ms | {median / base:.2f} |")


if __name__ == "__main__":
    main()
