"""Instructions of the processor, and of its vector units, for compiled code."""
# mypy: ignore-errors
# ruff: noqa: ARG001
# numba calls with all of these arguments; compiled functions have no Python types.

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def prefetch(typing_context, array, place):
    """Ask for the cache line of ``array[place]``; a hint; the place may be outside the array."""

    def codegen(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte_pointer = ir.IntType(8).as_pointer()
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte_pointer)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte_pointer, number, number, number])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(call, [address, number(0), number(3), number(1)])  # to read, to all caches, data
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


@intrinsic
def lowest_bit(typing_context, word):
    """The place of the lowest bit that is set in a 64-bit word; the word must not be 0."""

    def codegen(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@intrinsic
def count_bits(typing_context, word):
    """How many bits of a 64-bit word are set."""

    def codegen(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), codegen


@intrinsic
def reaching(typing_context, bounds, place, bar):
    """Which of the 64 bounds from `place` on reach the bar, as the bits of a word."""

    def codegen(context, builder, signature, arguments):
        values = _load(context, builder, signature.args[0], arguments[0], arguments[1], ir.IntType(16))
        hit = builder.icmp_unsigned(">=", values, _splat(builder, arguments[2]))
        return builder.bitcast(hit, ir.IntType(64))

    return types.uint64(bounds, types.int64, types.uint16), codegen


@intrinsic
def reaching_with(typing_context, bounds, place, codes, code_place, factor, bar):
    """Which of the 64 bounds from `place` on reach the bar once `code * factor / 256`, up, is added: bits of a word.

    `factor` is of 16 bits, and so must the sums be. A bound of all ones reaches nothing.
    """

    def codegen(context, builder, signature, arguments):
        values = _load(context, builder, signature.args[0], arguments[0], arguments[1], ir.IntType(16))
        more = _load(context, builder, signature.args[2], arguments[2], arguments[3], ir.IntType(8))
        high = builder.icmp_unsigned(
            ">=", builder.add(values, _scaled(builder, more, arguments[4])), _splat(builder, arguments[5])
        )
        inside = builder.icmp_unsigned("!=", values, ir.Constant(values.type, [0xFFFF] * 64))
        return builder.bitcast(builder.and_(high, inside), ir.IntType(64))

    return types.uint64(bounds, types.int64, codes, types.int64, types.uint16, types.uint16), codegen


def _scaled(builder, codes, factor):
    """`code * factor / 256`, up, of 64 codes; the pattern becomes a multiplication of 16 bits, high half."""
    wide, double = ir.VectorType(ir.IntType(16), 64), ir.VectorType(ir.IntType(32), 64)
    high = builder.shl(builder.zext(codes, wide), ir.Constant(wide, [8] * 64))
    many = builder.zext(_splat(builder, factor), double)
    product = builder.lshr(builder.mul(builder.zext(high, double), many), ir.Constant(double, [16] * 64))
    return builder.add(builder.trunc(product, wide), ir.Constant(wide, [1] * 64))


def _pointer(context, builder, array_type, array, place, lane):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), ir.VectorType(lane, 64).as_pointer())


def _load(context, builder, array_type, array, place, lane):
    return builder.load(_pointer(context, builder, array_type, array, place, lane), align=1)


def _splat(builder, value, lanes=64):
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


@intrinsic
def widened(typing_context, half):
    """The float32 of the 16 bits of a float16."""

    def codegen(context, builder, signature, arguments):
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), codegen


@intrinsic
def lane_sums(typing_context, table, rows, factors, count, found, place):
    """Into `found[place:place + 32]` the sum of `factors[i] * table[rows[i]]` over i < count, rows of 32 floats.

    Lane by lane in the order of i, so that what other lanes hold changes no bit.
    """

    def codegen(context, builder, signature, arguments):
        lanes, number = ir.VectorType(ir.FloatType(), 32), ir.IntType(64)
        data = [
            context.make_array(kind)(context, builder, one).data
            for kind, one in zip(signature.args[:3], arguments[:3], strict=True)
        ]
        table, (rows, factors) = builder.bitcast(data[0], lanes.as_pointer()), data[1:]
        out = context.make_array(signature.args[4])(context, builder, arguments[4]).data
        out = builder.bitcast(builder.gep(out, [arguments[5]]), lanes.as_pointer())
        before = builder.block
        test, body, done = (builder.append_basic_block(name) for name in ("test", "body", "done"))
        builder.branch(test)
        builder.position_at_end(test)
        step, total = builder.phi(number), builder.phi(lanes)
        builder.cbranch(builder.icmp_unsigned("<", step, arguments[3]), body, done)
        builder.position_at_end(body)
        row = builder.load(builder.gep(table, [builder.sext(builder.load(builder.gep(rows, [step])), number)]), align=4)
        factor = _splat(builder, builder.load(builder.gep(factors, [step])), 32)
        product = builder.fmul(row, factor, flags=("contract",))
        step.add_incoming(number(0), before)
        step.add_incoming(builder.add(step, number(1)), body)
        total.add_incoming(ir.Constant(lanes, [0.0] * 32), before)
        total.add_incoming(builder.fadd(total, product, flags=("contract",)), body)
        builder.branch(test)
        builder.position_at_end(done)
        builder.store(total, out, align=4)
        return context.get_dummy_value()

    return types.void(table, rows, factors, types.int64, found, types.int64), codegen
