"""Look for broken requirements and known vulnerabilities in what is installed in this environment.

`python -m scripts.audit`, which `make check` runs as well. The first part works offline. The second
asks the advisories of OSV (https://osv.dev); where they can't be reached, that is said loudly and
is no failure, except with --strict.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ADVISORIES = "https://api.osv.dev/v1/query"
ANSWER_TIMEOUT_SECONDS = 5
WHOLE_TIMEOUT_SECONDS = 120


def main() -> int:
    """Do both parts; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.audit", description=__doc__)
    parser.add_argument("--advisories", default=ADVISORIES, help="OSV or a mirror of it")
    parser.add_argument("--strict", action="store_true", help="fail where they can't be reached")
    arguments = parser.parse_args()
    check = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    if subprocess.run(check, stdout=subprocess.DEVNULL, check=False).returncode:
        subprocess.run(check, check=False)
        return 1
    try:
        dependencies = audited(arguments.advisories)
    except AuditNotDone as error:
        print(
            f"\n{'*' * 78}\nNO AUDIT: nobody has looked for known vulnerabilities.", file=sys.stderr
        )
        print(f"{arguments.advisories}: {error}\n{'*' * 78}\n", file=sys.stderr)
        return 1 if arguments.strict else 0
    found = list(findings(dependencies))
    print("\n".join(found) or f"No known vulnerability in {len(dependencies)} packages.")
    return 1 if found else 0


class AuditNotDone(Exception):
    """Say why there is no result."""


def audited(advisories: str) -> list[dict[str, Any]]:
    """Return the installed packages with their vulnerabilities, as pip-audit tells them."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [
            *(sys.executable, "-m", "pip_audit", "--local", "--skip-editable"),
            *("--vulnerability-service", "osv", "--osv-url", advisories),
            *("--timeout", str(ANSWER_TIMEOUT_SECONDS), "--progress-spinner", "off"),
            *("--format", "json", "--output", str(report)),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=WHOLE_TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise AuditNotDone(f"no end after {WHOLE_TIMEOUT_SECONDS} s") from error
        # Its exit code is the same for a vulnerability and for a failure; only one has a report.
        if not report.exists() or not report.stat().st_size:
            last = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise AuditNotDone(last[:500])
        dependencies: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
    return [each for each in dependencies if "skip_reason" not in each]


def findings(dependencies: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each vulnerability: where it is, what it is, and where it is mended."""
    for each in dependencies:
        for vulnerability in each["vulns"]:
            names = ", ".join([vulnerability["id"], *vulnerability["aliases"]])
            mended = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            yield f"{each['name']} {each['version']}: {names}; mended in {mended}"


if __name__ == "__main__":
    sys.exit(main())
