"""Every compiled kernel is made ahead of the first request."""

import json
import subprocess
import sys
from pathlib import Path

from recommender import kernels


def test_every_module_with_kernels_is_compiled_ahead() -> None:
    room = Path(kernels.__file__).parent
    holding = {
        ".".join(("recommender", *path.relative_to(room).with_suffix("").parts))
        for path in room.rglob("*.py")
        if "\n@compiled(" in path.read_text()
    }
    code = "import json, sys, recommender.kernels as k; k.compile_all(); print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(holding) > 8
    assert holding <= set(json.loads(done.stdout))
