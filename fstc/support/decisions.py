"""The text of the planner's decision codes, FSNnnn: one for each reason to join or to keep apart.

Example: the entry of ``FSN021`` is its meaning on one line and then three paragraphs: what it means; ``Shown:``, what
of it stands in the plan; ``To do:``. Read by :mod:`fstc.support.codes`, which has the errors and findings.

00x joined, 01x not possible in one kernel, 02x possible but not worth it or too large, 03x reductions over the grid
and wishes, 04x slower than one would hope. They are no errors: no command ends with one.
"""

DECISIONS = """
FSN001 nothing to compute
    The candidate has no result that anyone reads, so there is no kernel to make.

    Shown: the values whose kernel it would be.

    To do: ops without users are left out of a plan; return their values to keep them.
FSN002 joined
    Producer and user became one kernel: what passes between them stays in registers, shuffles or
    shared memory, one launch is saved, and the tensor is neither written nor read again.

    Shown: the gain, the predicted time of the kernels apart minus that of the one; `terms`, what changes in
    each term of the price; `limits`, what the one kernel takes of a block's registers and shared memory.

    To do: nothing. `--forbid` keeps two values apart where a measurement says that they are better apart.
FSN003 packed
    Kernels that do not depend on each other share one launch: side by side in the same loop where
    their extents are equal, else each in its own range of blocks. No traffic is saved; small kernels
    save a launch each, and their blocks fill the device together.

    Shown: the gain, the predicted time of the launches apart minus that of the one.

    To do: nothing.
FSN004 ops change their kernel
    They were joined with one neighbour, and with another one less is moved: what only one kernel needs is
    computed there.

    Shown: the gain, the predicted time of the two kernels before less that after.

    To do: nothing.
FSN005 computed by every user
    Several kernels need this value, and computing it again in each of them is cheaper than writing it once and
    reading it again. The op is counted in each of these kernels; results do not change, since it is the
    same op on the same operands. Only ops that are no reduction are repeated.

    Shown: the value; the gain, the predicted time of the kernels before less that after.

    To do: nothing.
FSN010 a reduced value is read at another position
    In this kernel the result of a reduction would be needed where another block, or another iteration
    of this thread, has computed it: behind a transpose, a slice, a gather or along an axis that it does
    not have. A kernel has no barrier over all blocks, so the value goes through global memory and its
    reader is a second kernel.

    Shown: the reduced value and its reader. There is no gain, since there is no such kernel to price.

    To do: if the model allows it, reduce after the move instead of before.
FSN011 a running sum is read in its own kernel
    A cumulative sum is stored while it is made, element by element along its axis; a reader in the
    same kernel would need elements that are not there yet. Its reader is a second kernel. What comes
    before the sum can still be joined to it.

    Shown: the running sum and its reader.

    To do: where only the last element is read, a reduction in place of the running sum has no such bound.
FSN012 values would be computed again too often
    A value that is read at another position is computed again there. Behind layout ops that do not cancel,
    a chain of such reads doubles at every step; one kernel would be thousands of statements long. The
    chain is cut: a value goes through global memory and is computed once.

    Shown: the value at which the chain is cut.

    To do: layout ops that cancel each other cost nothing here; look for a transpose, a slice or a reshape that
    does not.
FSN014 joining would make a cycle
    A third kernel or a library call needs a result of the one and makes an operand of the other. As one
    launch they would have to run both before and after it.

    Shown: the two sides; `path`, the values on the way round, from the one side to the other.

    To do: often the way round is a value that both need and that is cheap: written twice in the .fir, each
    reader has its own.
FSN015 a scatter works in place
    A scatter whose indices are unique is a kernel over its updates, in place on a copy of its operand. What
    makes the operand must have ended before, and what reads the result must wait: both are other kernels.

    Shown: the scatter and what it was not joined with.

    To do: nothing, unless the scatter can be written as a select or a gather.
FSN016 beyond what the search looks at
    The kernel would have more ops than `--max-ops`, or so many kernels lie between the two that looking for
    a cycle would take too long. These bounds keep planning linear in the size of the model.

    Shown: the reason names the ops and the bound.

    To do: a larger `--max-ops` looks further and takes longer.
FSN020 no placement fits
    No way to lay the axes over vector, lanes, warps, iterations and blocks stays within the device: the
    threads of a block, registers, shared memory or the blocks of a launch.

    Shown: the reason is that of the last placement that was tried; `limits`, what it needs of a resource and
    what there is.

    To do: `fstc device show NAME` lists the limits; a device with more shared memory may join them. A `--budget` below
    the device's own limits has the same effect.
FSN021 one kernel would be slower than two
    Both plans are possible, and the model predicts that the two launches take less time together: the
    joined kernel keeps so many values that fewer blocks fit on an SM, repeats work for each reader,
    or reads in narrow pieces because the two sides want different axes next to each other.

    Shown: the gain is negative and says how much slower; `terms`, which term of the price grows; `limits`, what the
    one kernel takes of registers and shared memory.

    To do: `--force` joins them all the same. A measured time that says otherwise is worth a report.
FSN022 one launch would take too many tensors
    Parameters of a kernel lie in a constant bank of 4 KiB and each pointer holds registers; a launch with
    very many tensors gains little over two.

    Shown: the reason names the count and the limit.

    To do: nothing, unless tensors can be concatenated in the model.
FSN023 the strategy keeps them apart
    `--strategy classic` joins only what loop fusion joins: values that pass from an operator to the next
    within one thread. What would pass through shuffles or shared memory stays in two kernels.

    Shown: the two sides. They were not priced together.

    To do: strategy `stitch`, the default, has no such rule; `fstc plan --compare` shows what it gains.
FSN024 two kernels are faster than one
    The search had joined them, and the accurate evaluator predicts that the parts take less time, although
    what passes between them is written and read again: the one kernel has too few blocks, keeps too much
    on chip, or repeats work.

    Shown: the two parts; the negative gain is what staying one kernel would have cost; the reason has both times and
    what bounds the one kernel.

    To do: `--force` keeps two values in one kernel.
FSN030 a reduction is split over the grid
    The reduced axis is long and few results come out, so one block a result would leave the device idle.
    Each block reduces a chunk; a second launch adds the partial results, in a fixed order, so that equal
    inputs give equal bits.

    Shown: the blocks that there would be, the parts, and the blocks that there are then.

    To do: nothing. FSN032 lists the numbers of parts that were slower.
FSN031 partial results wait for all blocks
    The two sides of a split reduction (FSN030) cannot be one kernel: every chunk has to be finished before
    they are added, and the end of a launch is the only barrier over all blocks.

    Shown: the partial result and its sum, or what waits for it.

    To do: nothing; the sum itself is small, and its launch is what the split costs.
FSN032 another choice of splits was slower
    The region was also planned with other reductions split, or with none. That plan is legal; its predicted
    time is longer than that of the plan that was kept.

    Shown: what that plan splits and in how many parts; the gain is the difference in time, and the reason counts
    the launches of both.

    To do: nothing. Two choices whose times are close may change places when a figure of the device changes.
FSN033 kept apart by a wish
    `--forbid` or `--pins` says so, or the planner itself, of the two sides of a split reduction. Nothing was priced.

    Shown: the reason names the values or the pin.

    To do: leave the wish away to see what the search does without it, or compare the two plans with `fstc diff`.
FSN040 a fold goes through one thread in order
    A running sum, or a reduction whose body is no known combiner, may not be reordered: each row is one
    thread's loop over the whole axis. It is right and, where rows are few or long, slow.

    Shown: the value, and the steps of a row.

    To do: a body that is a single add, mul, max, min, and or or is reduced in parallel; write it so where the model
    allows it.
FSN041 no room on chip between phases
    Several phases of the kernel need this value, and neither registers nor shared memory have room for a
    row of it. The later phases load and compute it again; the traffic is priced where the L2 will have
    forgotten it.

    Shown: the value. `bytes` stay as they are, since they count distinct sectors; the time has the repeated reads in
    it.

    To do: shorter rows, or a device with more shared memory, keep it.
FSN042 the other grouping was slower
    An expensive op whose result several phases of a kernel need is tried as a sub-root, its result kept on chip, and
    not as one, its result computed again by each phase. This is the choice that was not made.

    Shown: the value, what was chosen, and as a negative gain what the other would cost.

    To do: nothing; a device with other registers or instruction costs may choose otherwise.
FSN050 more bytes than the floor
    Several launches move this tensor: it is written by one and read by another, or read by both. The floor
    counts what comes from outside once and what goes outside once.

    Shown: the tensor and the last kernel that needs it, the megabytes above the floor, the scheme of composition that
    would keep it on chip, and as a negative gain what it costs to stay: these bytes at full rate and a launch.

    To do: nothing in the model. Cluster and grid composition and loops over rows around all phases are not planned by
    this version; the line says what each would be worth.
"""
