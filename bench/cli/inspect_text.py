"""How `bench inspect` puts its facts for people."""

from typing import Any

from bench.cli.printing import console, print_table

COLUMNS = ("name", "kind", "kernel", "stride", "padding", "dilation", "channels", "size")
COMPOUND = {"compound_stride": "S", "compound_kernel": "K", "receptive_field_px": "field px", "offset_px": "offset px"}
LEGEND = (
    "S, K: compound stride and kernel, D_out = floor((D_in - K) / S) + 1. "
    "Offset: the first pixel that unit 0 sees; negative in padding."
)
BOUND = "<= : after upsampling units see different windows, all of them within this one; the summary has the largest."
WHOLE = "* : something before it pools globally or mixes all positions, so it sees the whole image too; the figure leaves that out."


def show(facts: dict[str, Any]) -> None:
    """Print the table of layers, the summary and what its signs mean."""
    rows = []
    for line in facts["layers"]:
        row = {key: short(line[key]) for key in COLUMNS}
        row |= {title: short(line[key]) for key, title in COMPOUND.items()}
        sign = "" if line["exact"] else "<="
        row["field px"] = f"{sign}{row['field px']}{'*' if line['whole_image'] else ''}"
        rows.append(row)
    print_table(rows, title=f"{facts['model']}: {facts['form']}")
    out = console()
    out.print()
    lines = summary_lines(facts)
    width = max(len(key) for key, _ in lines) + 2
    for key, value in lines:
        out.print(f"{key:<{width}}{value}")
    notes = [LEGEND]
    notes += [BOUND] if any(not line["exact"] for line in facts["layers"]) else []
    notes += [WHOLE] if any(line["whole_image"] for line in facts["layers"]) else []
    for note in notes:
        out.print(note, style="dim")


def summary_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The summary, a heading and a text a line."""
    summary, trunk = facts["summary"], facts["trunk"]
    size = short([summary["height_px"], summary["width_px"]])
    lines = [(f"to {trunk['name']}", f"{size} -> {short(trunk['size'])}; {_field(trunk)}")] if trunk else []
    made = short(summary["output"][2:] or summary["output"])
    lines.append(("all of it" if trunk else "input -> output", f"{size} -> {made}; {_field(summary)}"))
    apart = [f"{each['name']} ({each['kind']}) by {short(each['apart_px'])} px" for each in summary["misaligned"]]
    lines.append(("output stride", f"{summary['output_stride']} px"))
    lines.append(("misaligned paths", "; ".join(apart) or "none"))
    if found := facts.get("effective"):
        made_of = f"mean of {found['images']} images of {found['height_px']}x{found['width_px']}"
        lines.append(("effective field", f"{found['side_px']} px: {found['measure']}; {made_of}"))
    lines.append(("parameters", f"{summary['parameters']:,}"))
    lines.append(("operations", f"{summary['flops'] / 1e9:.2f} GFLOP (2 x MAC)"))
    lines.append(("activations", f"{summary['activation_bytes'] / 2**20:.1f} MiB that a training step keeps of one image"))
    return lines


def _field(facts: dict[str, Any]) -> str:
    kernel, stride, field = facts["compound_kernel"], facts["stride"], facts["receptive_field_px"]
    if kernel is None or isinstance(stride, list) or isinstance(kernel, list):
        sizes = ""
    else:
        rest = f"{'+' if kernel >= stride else '-'} {abs(kernel - stride)}"
        sizes = f"; D_in = {stride} D_out {rest}, smallest input {short(facts['smallest_input_px'])}"
    if field is None:
        text = "the whole image"
    elif facts["whole_image"]:
        text = f"the whole image, {short(field)} without what mixes it"
    elif facts["exact"]:
        text = f"{short(field)}, padding {short(facts['padding_px'])}"
    else:
        text = f"up to {short(field)}, by position"
    whole = all(isinstance(each, int) for each in (stride if isinstance(stride, list) else [stride]))
    stretched = "" if whole else " (the scores are stretched: a grid does not divide this size)"
    return f"stride {short(stride)}{stretched}; receptive field {text}{sizes}"


def short(value: Any) -> Any:
    """A value for a table: pairs with an x between them, nothing as a dash, fractions with six digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "x".join(str(short(each)) for each in value)
    return "–" if value is None else value
