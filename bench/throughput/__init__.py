"""`bench profile`: the throughput protocol, beside the short profile that ends every cell.

All models in one process, in interleaved rounds, beside an anchor that is always the same: see docs/throughput.md.
"""
