"""The page of the importer: how each op is mapped, or why it is refused, from the one table.

Example: ``page()`` is docs/stablehlo.md; ``python bench/stablehlo_page.py`` writes it, a test compares it.
"""

from __future__ import annotations

from fstc.frontends.stablehlo.table import TABLE

HEAD = """\
# StableHLO: JAX and TensorFlow models

`fstc import model.mlirbc` reads a StableHLO module, as text or as bytecode, with the MLIR of jaxlib
(`pip install "fstc[jax]"`). From JAX, forward or backward:

```python
from jax import export

exported = export.export(jax.jit(train_step))(*example_arguments)
pathlib.Path("step.mlirbc").write_bytes(exported.mlir_module_serialized)
# or, with file and line of every op:
pathlib.Path("step.mlir").write_text(jax.jit(train_step).lower(*example_arguments).as_text(debug_info=True))
```

- Arguments of `@main` become inputs by their names in Python: `params['w']` is `%params.w`. Results likewise.
- Donated arguments (`donate_argnums`) get `alias`: the output that takes their memory.
- Functions are inlined, loops with a known number of turns unrolled (`lax.scan`, `fori_loop`), constant branches
  chosen. What a scan writes step by step is one `concatenate`; what its gradient reads again is read where it was made.
- Symbolic extents of jax.export take `--bind NAME=N`; what the export asserts of them is checked.
- Bytecode is first read in a process of its own: MLIR's reader does not survive every damaged file.
- `fstc verify --against jax` runs the same module by XLA on the CPU.

Types: f64 to f8E4M3FN and f8E5M2, i8 to i64, ui8 to ui64, i1. Complex and quantised types, other short floats and
integers of 2 and 4 bits are refused where they occur.
"""


def page() -> str:
    mapped = [f"| `{name}` | {entry.doc} |" for name, entry in TABLE.items() if not entry.refused]
    refused = [f"| `{name}` | {entry.refused} |" for name, entry in TABLE.items() if entry.refused]
    parts = [
        HEAD,
        "## Mapped\n",
        "Names in backquotes are ops of [fir.md](fir.md). In bytecode, chlo ops are composites of the same names.\n",
        "| op | becomes |\n|---|---|\n" + "\n".join(mapped) + "\n",
        "## Refused\n",
        "`--allow-unsupported` leaves them as calls that only the framework can run.\n",
        "| op | why |\n|---|---|\n" + "\n".join(refused) + "\n",
    ]
    return "\n".join(parts)
