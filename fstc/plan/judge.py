"""Verdicts of the latency-evaluator: whether some clusters become one kernel, and whether one becomes two.

Example: ``judge.join([a, b])`` is a :class:`Decision` with its code, the gain in microseconds, the terms that decided
and the limits that bind. A bound that needs no placement comes first: a launch costs its bytes at full rate at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Refusal
from fstc.plan.artefact import Decision
from fstc.plan.candidate import Placed
from fstc.plan.delta import Rules
from fstc.plan.pricer import MOST_POINTERS, Members, Pricer
from fstc.plan.steer import NO_WISH, Steering

CROWD = 4  # small kernels of one level, from which on they are taken to share launches
MOST_BESIDE = 16


@dataclass
class Judge:
    """``partial``: pairs (partial, final) of reductions that were split on purpose."""

    pricer: Pricer
    rules: Rules
    partial: frozenset[tuple[int, int]] = frozenset()
    steering: Steering = NO_WISH

    def fork(self) -> Judge:
        """The same, with a choice of folded ops of its own."""
        return replace(self, pricer=self.pricer.fork())

    # -- joining ----------------------------------------------------------------------------------------------

    def join(self, parts: Sequence[Members], beside: Sequence[int] = ()) -> Decision:
        """Whether clusters become one kernel, and what that gains.

        ``beside``: for each part how many small kernels of its level it may share a launch with; a launch is then
        no reason to join (FusionStitching, section 4.1: kernel packing is a composition like the others).
        """
        union = frozenset().union(*parts)
        refused = self.forbidden(parts, union)
        if refused is not None:
            return refused
        apart = [p for p in map(self.pricer.place, parts) if isinstance(p, Placed)]
        whole = len(apart) == len(parts)
        shared = beside if whole and beside else [0] * len(apart)
        before = sum(self.shared_time(p, n) for p, n in zip(apart, shared, strict=True))
        joined = self.pricer.place(union, beat=before if whole else inf)
        left, right = self._names(parts)
        if isinstance(joined, Refusal):
            return refusal(joined.code, left, right, joined.reason)
        gain = before - self.shared_time(joined, min(beside, default=0))
        terms, limits = changed(apart, joined), self.limits(joined, apart)
        if gain <= 0 and whole:
            reason = (
                f"one kernel is {joined.estimate.bound}-bound at {joined.estimate.time:.1f} us, "
                f"{len(parts)} take {before:.1f} us"
            )
            return Decision(
                code="FSN021",
                accepted=False,
                left=left,
                right=right,
                gain_us=gain,
                reason=reason,
                terms=terms,
                limits=limits,
            )
        return Decision(
            code="FSN002",
            accepted=True,
            left=left,
            right=right,
            gain_us=max(gain, 0.0),
            reason="one launch, and what passes between stays on chip",
            terms=terms,
            limits=limits,
        )

    def shared_time(self, placed: Placed, beside: int) -> float:
        """Microseconds of a kernel; of one that shares its launch with many its share, as packing prices it."""
        if beside < CROWD:
            return placed.estimate.time
        device = self.pricer.device
        body = placed.estimate.time - device.launch_us
        return device.launch_us / min(beside, MOST_BESIDE) + body * min(1.0, placed.blocks / device.sms)

    def forbidden(self, parts: Sequence[Members], union: Members) -> Decision | None:
        """What needs no price: rules, wishes, bounds."""
        left, right = self._names(parts)
        if not self.steering.pinned.isdisjoint(union):
            return refusal("FSN033", left, right, "a pin says what is in this kernel")
        for op, others in self.steering.apart.items():
            if op in union and not others.isdisjoint(union):
                a, b = self._value(op), self._value(min(others & union))
                return refusal("FSN033", left, right, f"{a} and {b} are to be in different kernels")
        if any(a in union and b in union for a, b in self.partial):
            reason = "partial results from all blocks must be there before they are added: a second launch"
            return refusal("FSN031", left, right, reason)
        if self.pricer.scatters(union):
            return refusal("FSN015", left, right, "a scatter works in place on a copy of its operand")
        if len(union) > self.rules.max_ops:
            reason = f"one kernel would have {len(union)} ops, the search looks at {self.rules.max_ops}"
            return refusal("FSN016", left, right, reason)
        pointers = self.pricer.pointers(union)
        if pointers > MOST_POINTERS:
            return refusal("FSN022", left, right, f"one launch would take {pointers} tensors, limit {MOST_POINTERS}")
        if self.rules.threads_only and self._crosses(union):
            return refusal("FSN023", left, right, "strategy classic: a value passes from one thread to others")
        return None

    def _crosses(self, members: Members) -> bool:
        """Whether a reduction's result is read inside."""
        graph = self.pricer.graph
        reductions = [n for n in members if graph.nodes[n].op.form in (Form.REDUCE, Form.SCAN)]
        return any(u in members for n in reductions for v in graph.nodes[n].outputs for u in self.pricer.readers(v))

    def _names(self, parts: Sequence[Members]) -> tuple[str, str]:
        left, right = self.pricer.name(parts[0]), self.pricer.name(parts[-1])
        return left, right if len(parts) <= 2 else f"{right} and {len(parts) - 2} more"

    def _value(self, op: int) -> str:
        graph = self.pricer.graph
        return "%" + graph.values[graph.nodes[op].outputs[0]].name

    def limits(self, placed: Placed, apart: Sequence[Placed] = ()) -> dict[str, tuple[float, float]]:
        """What a kernel takes of what there is; blocks an SM against those of the smaller kernels."""
        device = self.pricer.device
        found = {
            "registers": (float(placed.schedule.registers), float(device.registers_per_thread_max)),
            "shared": (float(placed.schedule.shared), float(device.shared_per_block_max)),
        }
        if apart:
            most = min(p.estimate.blocks_per_sm for p in apart)
            found["blocks_per_sm"] = (float(placed.estimate.blocks_per_sm), float(most))
        return found

    # -- splitting --------------------------------------------------------------------------------------------

    def cut(self, members: Members, why: Refusal) -> tuple[Members, Members]:
        """Two parts of a cluster that is no kernel: behind the value that is the reason, else where least is moved."""
        if why.value >= 0:
            _, origin = self.pricer.extracted(members)
            node = self.pricer.graph.values[origin[why.value]].node
            if node in members and len(above := self.above(members, node)) < len(members):
                return above, members - above
        return self.middle(members)

    def above(self, members: Members, node: int) -> Members:
        """An op and all members that it waits for."""
        graph, found, stack = self.pricer.graph, {node}, [node]
        while stack:
            for v in graph.nodes[stack.pop()].inputs:
                for producer in self.pricer.producers(v):
                    if producer in members and producer not in found:
                        found.add(producer)
                        stack.append(producer)
        return frozenset(found)

    def middle(self, members: Members) -> tuple[Members, Members]:
        """The cut between the first and the last quarter of the ops that moves fewest bytes."""
        order = sorted(members)
        low, high = max(1, len(order) // 4), max(1, len(order) - len(order) // 4)
        rank = {n: k for k, n in enumerate(order)}
        crossing = [0] * (len(order) + 1)  # changes of the bytes that pass each cut
        for n in order:
            for v in self.pricer.graph.nodes[n].outputs:
                last = max((rank[u] for u in self.pricer.readers(v) if u in rank), default=rank[n])
                crossing[rank[n]] += self.pricer.graph.type(v).nbytes
                crossing[last] -= self.pricer.graph.type(v).nbytes
        best, passing = low, 0
        least = inf
        for k in range(len(order) - 1):
            passing += crossing[k]
            if low <= k + 1 <= high and passing < least:
                best, least = k + 1, passing
        return frozenset(order[:best]), frozenset(order[best:])


def changed(apart: Sequence[Placed], joined: Placed) -> dict[str, float]:
    """Each term of the one kernel less those of the others."""
    found = dict(joined.estimate.terms)
    for p in apart:
        for key, amount in p.estimate.terms.items():
            found[key] = found.get(key, 0.0) - amount
    return found


def refusal(code: str, left: str, right: str, reason: str, gain: float = 0.0, path: Sequence[str] = ()) -> Decision:
    return Decision(code=code, accepted=False, left=left, right=right, gain_us=gain, reason=reason, path=tuple(path))
