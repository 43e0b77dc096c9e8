"""The OpenAPI document and the service agree, whatever schemathesis makes of the document."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metasegment.annotation import Annotation
from metasegment.task import Provenance, Task, TaskStructure
from metasegment.volume import Volume
from metasegment.wire import messages


def test_no_request_made_from_the_description_meets_an_answer_that_is_not_in_it(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation], tmp_path: Path
) -> None:
    """All checks but one: that a manifest or a body fits together is more than a schema can say."""
    caller = a_service(requests_at_once=10**6).caller()
    volume = caller.send(organ[0])
    provenance = Provenance((TaskStructure(7, "organ"),), "a" * 64, "none", "", 1)
    task = caller.put(Task(provenance, {}))
    job = caller.job(volume, organ[1])
    caller.wait(job, "done")
    known = tmp_path / "schemathesis.toml"
    values = {"volume": [volume, "0" * 64], "task": [task, "0" * 64], "job": [job, "unknown"]}
    known.write_text("\n".join(["[parameters]", *(f'"path.{name}" = {json.dumps(v)}' for name, v in values.items())]))
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(known), "run"),
            f"{caller.url}{messages.PREFIX}/openapi.json",
            *("--header", f"Authorization: Bearer {caller.token}"),
            *("--header", f"{messages.CLIENT_HEADER}: {caller.client}"),
            *("--exclude-checks", "positive_data_acceptance", "--phases", "coverage,fuzzing"),
            *("--max-examples", "15", "--seed", "1", "--generation-database", "none", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",  # not the locale's: Slicer's libraries set that to C in the tests' process
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr[-2000:]
    caller.wait(caller.job(volume, organ[1]), "done")
