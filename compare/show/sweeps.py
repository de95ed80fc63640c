"""What load does: speed of single streams, and of all of them over the load steps."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from compare.show.boxes import boxes
from compare.show.panel import Panel
from compare.show.parts import empty, legend, legend_height, stack
from compare.show.theme import PERCENT


def throughput(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    """Draw each answer's decode speed, or over load steps all streams together."""
    if len(panel.loads) > 1:
        return _over_loads(figure, spec, panel)
    plot = figure.add_subplot(spec)
    plot.set_title(panel.title)
    boxes(plot, panel, "decode_tps")
    return None


def _over_loads(figure: Figure, spec: SubplotSpec, panel: Panel) -> None:
    above, middle, below = stack(spec, 2.4, 1.0, legend_height(panel))
    plot = figure.add_subplot(above)
    share = figure.add_subplot(middle, sharex=plot)
    plot.set_title(panel.title)
    known = False
    places = {step: n for n, step in enumerate(panel.loads)}
    summaries = panel.subject.summaries
    for host in panel.hosts:
        segments = [s for s in panel.segments if (s, host.name) in summaries]
        segments.sort(key=lambda segment: places[segment.step])
        steps = [summaries[segment, host.name] for segment in segments]
        at = [places[each.step] for each in steps]
        look: Any = {"color": host.colour, "marker": host.marker, "markersize": 5}
        rates = [np.nan if s.system_tps is None else s.system_tps for s in steps]
        oks = [s.tally.success_share for s in steps]
        known = known or not all(np.isnan(rates))
        plot.plot(at, rates, ls=host.line, **look)
        share.plot(
            at, [np.nan if ok is None else ok for ok in oks], ls=host.line, **look
        )
    plot.set_ylabel("all streams (tokens/s)")
    plot.set_ylim(bottom=0)
    plot.tick_params(labelbottom=False)
    if not known:
        why = "no token counts: no request was ok, or no host stated usage"
        empty(plot, why, panel.theme)
    share.set_ylim(-0.05, 1.1)
    share.yaxis.set_major_formatter(PERCENT)
    share.set_yticks([0, 0.5, 1])
    share.set_ylabel("ok")
    share.set_xticks(range(len(places)), list(panel.loads.values()))
    share.set_xlim(-0.3, len(places) - 0.7)
    share.set_xlabel("load step")
    legend(figure, below, panel)
