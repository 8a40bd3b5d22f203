"""The mutants: one textual change each to a kernel that fstc generated, and what must catch it.

Example: ``Mutant("no_barrier", "moe_combine_rmsnorm", BARRIER, "", "race")`` takes the first barrier out of the first
kernel of the sample that has one. A pattern that no kernel of the sample has any more is a failure: the planner
chose otherwise, so the mutant needs another place. Where tuning moves a place from one sample to another, the mutant
names ``others`` as well and takes the first sample that has it.
"""

from __future__ import annotations

from typing import NamedTuple

BARRIER = r"__syncthreads\(\);"
ARENA = r"FST_SHARED\(arena\);"
EXCHANGE = r"(?<=\(arena)( \+ \d+)?(?=\);  // %{value} = reduce)"  # the offset of partial results
STEP = r"^ *(\w+)(\[k\])? = fst::op_\w+\(\1(\[k\])?, fst::shfl_xor\(\1(\[k\])?, {mask}\)\);  // %{value} .*\n"
MASK = r"(?<=, ){mask}(?=\)\);  // %{value} )"
RESTART = r"^ +r\d+ = 0\.0f;\n(?= *#pragma unroll\n *for \(int j0)"
LEADER = r"if \(lane (/ \d+ )?(% \d+ )?== 0( && lane % \d+ == 0)?\) {{(?=[^}}]*{stores})"
RESULT_LEADER = r"\blane (% \d+ )?== 0(?=( && .*)?\) \{\n +q\d+\[)"
GUARD = r"if \((a\d)(s?) < {extent}\)"


class Mutant(NamedTuple):
    """``find`` is a regular expression, ``put`` its replacement, ``nth`` which match of the kernel is replaced.

    ``by`` must be among the complaints: a kind of fault, or "mismatch" when results are wrong; "race or out-of-bounds"
    where both are true and the schedule decides which is met first. With ``specials`` infinities and NaN are among the
    inputs of several seeds, as with --edge-values. ``others`` are samples to look at when ``sample`` has no such place.
    """

    name: str
    sample: str
    find: str
    put: str
    by: str
    nth: int = 0
    specials: bool = False
    others: tuple[str, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """Where to look, in this order."""
        return (self.sample, *self.others)


def step(value: str, mask: int) -> str:
    """One step of a warp's reduction."""
    return STEP.format(value=value, mask=mask)


def mask(value: str, mask: int) -> str:
    """The mask of one step of a warp's reduction."""
    return MASK.format(value=value, mask=mask)


BARRIERS = (
    Mutant("no_barrier_before_partials_are_read", "moe_combine_rmsnorm", BARRIER, "", "race"),
    Mutant("no_first_barrier_of_two", "add_rmsnorm_quant", BARRIER, "", "race"),
    Mutant("no_second_barrier_of_two", "batchnorm_train_relu", BARRIER, "", "race", nth=1),
    Mutant("no_barrier_in_a_column_reduction", "bias_gelu_bwd", BARRIER, "", "race"),
    Mutant("no_barrier_in_a_sum_of_partials", "dien_attention", BARRIER, "", "race"),
    Mutant("a_warp_barrier_for_a_block", "groupnorm_silu", BARRIER, "__syncwarp();", "race"),
    Mutant("a_barrier_that_one_warp_meets", "batchnorm_train_relu", BARRIER, r"if (warp == 0) \g<0>", "race"),
    Mutant("a_barrier_that_half_a_warp_meets", "rmsnorm_bwd", BARRIER, r"if (lane < 16) \g<0>", "race"),
    Mutant(
        "one_warp_has_a_barrier_more",
        "groupnorm_silu",
        ARENA,
        r"\g<0> if (warp == 0) __syncthreads();",
        "divergent-barrier",
    ),
    Mutant(
        "a_barrier_too_late", "groupnorm_silu", BARRIER + r"((.*\n)*?)(?=    float r)", r"\1__syncthreads();\n", "race"
    ),
)

SHUFFLES = (
    Mutant("one_mask_bit", "softmax_mask", mask("sum", 1), "2", "mismatch"),
    Mutant("one_mask_bit_of_a_maximum", "add_rmsnorm_quant", mask("absmax", 1), "2", "mismatch"),
    Mutant("one_step_less_of_a_sum", "softmax_bwd", step(r"\w+", 1), "", "mismatch"),
    Mutant("one_step_less_of_a_maximum", "add_rmsnorm_quant", step("absmax", 4), "", "mismatch"),
    Mutant("one_step_less_in_a_group_of_lanes", "layernorm_train", step("square_sum", 8), "", "mismatch"),
    Mutant("one_step_too_many", "qk_norm_rope", mask(r"\w+", 4), "16", "mismatch"),
    Mutant("one_step_less_of_a_column", "bias_gelu_bwd", step("dbias", 8), "", "mismatch"),
    # A softmax that subtracts less than the maximum is right as long as nothing is infinite.
    Mutant("less_than_the_maximum", "asr_masked_softmax", step("max", 1), "", "mismatch", specials=True),
)

GUARDS = (
    Mutant("no_guard_of_a_ragged_row", "asr_masked_softmax", GUARD.format(extent=400), "if (true)", "out-of-bounds"),
    Mutant(
        "no_guard_of_the_last_rows",
        "rmsnorm_bwd",
        r"if \(a0s < \d+\)",
        "if (true)",
        "out-of-bounds or uninitialised",
        others=("dien_attention",),
    ),
    Mutant("no_guard_of_a_store", "dien_augru_cell", GUARD.format(extent=108), "if (true)", "out-of-bounds"),
    Mutant("one_more_is_let_in", "crnn_bn_relu_permute", GUARD.format(extent=33), r"if (\1\2 <= 33)", "out-of-bounds"),
    Mutant("one_is_left_out", "dien_augru_cell", GUARD.format(extent=108), r"if (\1\2 < 107)", "mismatch"),
    Mutant("no_guard_in_a_packed_part", "adam", r"if \((a0\w*) < 511\)", "if (true)", "out-of-bounds"),
    Mutant("both_packed_parts", "crnn_lstm_cells", r"\belse \{", "{", "out-of-bounds"),
    Mutant(
        "the_wrong_packed_part",
        "qk_norm_rope",
        r"if \(blockIdx\.x < (\d+)\)",
        r"if (blockIdx.x < \1 - 1)",
        "race or out-of-bounds",
    ),
)

INDICES = (
    Mutant("a_row_too_far", "layernorm_train", r"(?<=load_vec<4>\(p0 \+ )a0\b", "(a0 + 1)", "out-of-bounds"),
    Mutant(
        "a_wrong_row_stride",
        "add_rmsnorm_quant",
        r"(?<=load_vec<8>\(p0 \+ )(a\d) \* 4096",
        r"\1 * 4088",
        "mismatch",
        others=("rmsnorm_bwd",),
    ),
    Mutant("an_odd_offset", "bias_gelu", r"(?<=load_vec<4>\(p0 \+ )(?=a)", "1 + ", "misaligned"),
    Mutant("a_wrong_serial_stride", "swiglu", r"(?<=\(block)\b|(?<= block) \* (\d+)", r" * 8", "race"),
    Mutant(
        "a_serial_step_too_short",
        "add_rmsnorm_quant",
        r"(?<= = )a\d \+ sa\d \* \d+(?=;)",
        r"\g<0> / 2",
        "race",
        others=("asr_conv_module",),
    ),
    Mutant("a_serial_step_less", "dien_row_reduce", r"(?<=< )(\d+)(?=; \+\+)", r"\1 - 1", "mismatch"),
    Mutant("a_store_off_by_one", "crnn_lstm_cells", r"(?<=q3\[)(.*)(?=\] = )", r"\1 + 1", "out-of-bounds"),
    Mutant("two_gates_swapped", "crnn_lstm_cells", r"(?<=\+ )768", "512", "mismatch"),
    Mutant("one_row_gathered_always", "moe_combine_rmsnorm", r"\bd0(?= \*)", "0", "mismatch"),
    Mutant("the_other_half_of_a_pair", "qk_norm_rope", r"(?<=\(h0\[ea3) \+ 8\]", "]", "mismatch"),
    Mutant(
        "an_index_without_its_axis",
        "asr_conv_module",
        r"\ba\ds?(?=[)\]];  // %beta)",
        "0",
        "mismatch",
        others=("layernorm_train",),
    ),
)

LEADERS = (
    Mutant("every_lane_leads", "rmsnorm_bwd", LEADER.format(stores="m"), "if (true) {", "race"),
    Mutant("every_row_of_lanes_leads", "bias_gelu_bwd", r"if \(lane / 8 == 0\)", "if (true)", "race"),
    Mutant(
        "every_lane_stores_the_result",
        "layernorm_train",
        RESULT_LEADER,
        "true",
        "race",
        others=("dien_row_reduce", "add_rmsnorm_quant"),
    ),
    Mutant("every_warp_stores_the_result", "bias_gelu_bwd", r" && warp == 0\)", ")", "race"),
    Mutant("another_lane_leads", "moe_combine_rmsnorm", r"if \(lane == 0\)", "if (lane == 32)", "uninitialised"),
)

SHARED = (
    Mutant("partials_on_top_of_others", "batchnorm_train_relu", EXCHANGE.format(value="square_sum"), "", "race"),
    Mutant("partials_on_top_of_what_is_kept", "groupnorm_silu", EXCHANGE.format(value="sum"), "", "race"),
    Mutant(
        "partials_of_another_row",
        "layernorm_train",
        r"\(g\d \+ j0\)",
        "j0",
        "mismatch",
        others=("asr_conv_module", "bert_layer"),
    ),
    Mutant(
        "a_partial_that_nobody_wrote",
        "moe_combine_rmsnorm",
        r"(?<=, )m15\[\(?(g\d \+ )?j0",
        r"\g<0> + 1",
        "out-of-bounds",
    ),
    Mutant("one_partial_left_out", "bias_gelu_bwd", r"(?<=j0 < )(\d+)", r"\1 - 1", "mismatch"),
    Mutant(
        "a_kept_value_of_a_neighbour", "groupnorm_silu", r"threadIdx\.x(?=\]\))", "(threadIdx.x ^ 1)", "mismatch", nth=1
    ),
)

VALUES = (
    Mutant(
        "kept_in_one_slot_read_from_another",
        "layernorm_train",
        r"(?<= = )(h\d+)\[[es]a\d",
        r"\1[0",
        "mismatch",
        others=("asr_conv_module", "softmax_mask"),
    ),
    Mutant("a_sum_that_starts_with_its_own_part", "batchnorm_train_relu", RESTART, "", "mismatch"),
    Mutant("a_sum_that_starts_elsewhere", "bias_gelu_bwd", r"(?<=\[k\] = )0\.0f", "1.0f", "mismatch"),
    Mutant("one_branch_for_both", "qk_norm_rope", r"if \(sa2 < 1\)", "if (true)", "mismatch"),
    Mutant("a_count_that_is_one_off", "layernorm_train", r"1024\.0f", "1023.0f", "mismatch"),
    Mutant("a_result_that_is_not_stored", "layernorm_train", r"^ *q1\[.*\] = .*\n", "", "mismatch"),
)

MUTANTS = (*BARRIERS, *SHUFFLES, *GUARDS, *INDICES, *LEADERS, *SHARED, *VALUES)

__all__ = ["MUTANTS", "Mutant"]
