"""How fast the chain is, beside the bare limit of what it stands on, measured in the same run.

Run by ``make bench`` or ``python -m benchmarks``. Absolute numbers say more about the machine than
about us; the shares of the bare limit can be compared.
"""
