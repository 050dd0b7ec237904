"""Run one notebook in a process of its own: it can be stopped, and takes nothing down with it.

Called by `tools.execute` and `tools.published`:
``python -m tools.papermill_worker PREPARED OUTPUT FOLDER PARAMETERS [KERNEL]``.
Prints one line of JSON: the device, or what went wrong in which cell.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from tools.children import end_with_parent

CELL_LIMIT_SECONDS = {"fast": 900, "full": None}


def run(
    prepared: Path, output: Path, folder: Path, parameters: dict, kernel: str = "python3"
) -> dict:
    """Execute a notebook in its folder. The output is written even on failure.

    Returns:
        The `source` of the cell that failed and its `error`; empty when all went well.
    """
    try:
        papermill.execute_notebook(
            str(prepared),
            str(output),
            parameters=parameters,
            kernel_name=kernel,
            cwd=str(folder),
            progress_bar=False,
            execution_timeout=CELL_LIMIT_SECONDS[parameters["PROFILE"]],
        )
    except PapermillExecutionError as error:
        message = str(error.evalue).strip() or "no message"
        return {"source": error.source, "error": f"{error.ename}: {message}"}
    except CellTimeoutError as error:
        return {"source": "", "error": str(error).splitlines()[0]}
    except DeadKernelError:
        return {"source": "", "error": "the kernel died (out of memory, or a crash in native code)"}
    return {}


def _device() -> str:
    """The accelerator if there is one, else the processor: what the chapter had at hand."""
    import torch

    from visage.ledger import describe_device

    return describe_device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    end_with_parent()
    prepared, output, folder, parameters, *kernel = sys.argv[1:]
    outcome = run(Path(prepared), Path(output), Path(folder), json.loads(parameters), *kernel)
    if not outcome and not kernel:  # another kernel may see other devices
        outcome = {"device": _device()}
    print(json.dumps(outcome))
    sys.exit("error" in outcome)
