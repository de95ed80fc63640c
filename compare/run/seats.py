"""Who sits at a live loop: each host is asked its next step from its own answer."""

import msgspec

from providers.outcome import Outcome
from providers.reply import Reply
from scenarios.answer import Answer, Verdict
from scenarios.loop import Play
from scenarios.plan import Block, Segment, Unit
from scenarios.request import Arrival


class Seats:
    """The live sessions that are under way.

    The plan has a block for each step that there may be; a step is asked of the hosts
    whose session goes on, each with its own history.
    """

    def __init__(self) -> None:
        self._plays: dict[tuple[str | None, str], Play] = {}

    def deal(self, segment: Segment, block: Block) -> Block:
        """Return a planned block as it is to be asked; empty where nobody goes on."""
        scenario = segment.scenario
        if scenario.loop is None:
            return block
        asked = []
        for arrival in block:
            key = (arrival.session, arrival.provider)
            task = scenario.by_id[arrival.case].task
            if arrival.turn == 1 and task is not None:
                self._plays[key] = Play(arrival.request, task, scenario.loop)
            play = self._plays.get(key)
            if play is not None:
                asked.append(
                    msgspec.structs.replace(arrival, request=play.request, grown=0)
                )
        return tuple(asked)

    def take(self, arrival: Arrival, reply: Reply) -> tuple[Verdict, ...]:
        """Note a reply; return the verdicts of a session that it ends.

        A session whose request fails has ended without any.
        """
        key = (arrival.session, arrival.provider)
        play = self._plays.get(key)
        if play is None:
            return ()
        verdicts: tuple[Verdict, ...] = ()
        if reply.outcome == Outcome.OK:
            calls = tuple((call.name, call.arguments) for call in reply.tool_calls)
            verdicts = play.take(Answer(content=reply.content, tool_calls=calls))
        if play.over or reply.outcome != Outcome.OK:
            del self._plays[key]
        return verdicts

    def leave(self, arrival: Arrival) -> None:
        """Forget the session of a host that is asked no more."""
        self._plays.pop((arrival.session, arrival.provider), None)

    def clear(self, unit: Unit) -> None:
        """Forget a session that is not gone on with."""
        for arrival in unit.blocks[0] if self._plays else ():
            self.leave(arrival)
