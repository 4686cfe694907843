"""Registers for the kernels: fixed-width vectors inside Numba, and the carry-less multiply.

Numba promotes every small integer to 64 bits, which keeps LLVM from using the processor's vector
units for bytes. These intrinsics emit LLVM's own vector instructions instead. All but the
carry-less multiplies are portable: LLVM lowers them to what the processor has (AVX-512, AVX2,
NEON). ``HAS_WIDE_CLMUL`` and ``HAS_CLMUL`` say whether the others may be used; callers have
another way that gives the same bits.

Memory is addressed by integers (``array.ctypes.data``): nothing is checked, so whatever calls
these owns its buffers.
"""

import os
import platform
from collections.abc import Callable
from typing import Any, TypeVar, cast

import llvmlite.binding
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, models, register_model

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile ``function`` on first use, keep the result on disk where that is possible."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        compiled: Any = njit(cache=True, **options)(function)
    except RuntimeError:  # no folder may be written: compile in every process
        compiled = njit(**options)(function)
    return cast("F", compiled)


def helper(function: F) -> F:
    """Compile ``function`` into the kernels that call it."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "forceinline": True}
    return cast("F", njit(**options)(function))


def _features() -> dict[str, bool]:
    # Numba can be told to compile for another processor than this one.
    told_otherwise = any(name in os.environ for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"))
    if told_otherwise or platform.machine().lower() not in {"x86_64", "amd64"}:
        return {}
    return dict(llvmlite.binding.get_host_cpu_features())


_FEATURES = _features()
HAS_CLMUL = bool(_FEATURES.get("pclmul"))
HAS_WIDE_CLMUL = bool(_FEATURES.get("vpclmulqdq") and _FEATURES.get("avx512f"))

_I1, _I8, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))


class _Vector(types.Type):
    """A vector of ``lanes`` integers of ``bits`` bits, as Numba's typing knows it."""

    def __init__(self, bits: int, lanes: int) -> None:
        self.bits = bits
        self.lanes = lanes
        super().__init__(name=f"Vector{bits}x{lanes}")


class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _Vector) -> None:
        super().__init__(manager, kind, _shape(kind))  # type: ignore[no-untyped-call]


def _shape(kind: _Vector) -> ir.VectorType:
    return ir.VectorType(ir.IntType(kind.bits), kind.lanes)


register_model(_Vector)(_VectorModel)
BYTES = _Vector(8, 64)
WORDS = _Vector(64, 8)
_BYTES_SHAPE, _WORDS_SHAPE = _shape(BYTES), _shape(WORDS)


def _made(signature: Any, emit: Callable[..., Any]) -> Any:
    """Return an intrinsic of this signature; ``emit(builder, *arguments)`` writes its code."""
    names = ", ".join(f"a{at}" for at in range(len(signature.args)))

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        value = emit(builder, *arguments)
        return context.get_dummy_value() if value is None else value

    # Numba reads the number of arguments off the function: it cannot be a variable one.
    space: dict[str, Any] = {"signature": signature, "generate": generate}
    exec(f"def typed(context, {names}): return signature, generate", space)  # noqa: S102
    return intrinsic(space["typed"])


def _constant(shape: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(shape, [value] * shape.count)


def _loader(kind: _Vector) -> Any:
    def emit(builder: Any, address: Any) -> Any:
        value = builder.load(builder.inttoptr(address, _shape(kind).as_pointer()))
        value.align = 1
        return value

    return _made(kind(types.intp), emit)


def _storer(kind: _Vector) -> Any:
    def emit(builder: Any, address: Any, value: Any) -> None:
        builder.store(value, builder.inttoptr(address, _shape(kind).as_pointer())).align = 1

    return _made(types.void(types.intp, kind), emit)


def _filler(kind: _Vector) -> Any:
    shape = _shape(kind)

    def emit(builder: Any, value: Any) -> Any:
        lane = value if kind.bits == 64 else builder.trunc(value, shape.element)
        first = builder.insert_element(ir.Constant(shape, ir.Undefined), lane, _I32(0))
        order = ir.Constant(ir.VectorType(_I32, kind.lanes), [0] * kind.lanes)
        return builder.shuffle_vector(first, ir.Constant(shape, ir.Undefined), order)

    return _made(kind(types.int64), emit)


def _library(builder: Any, name: str, shape: ir.VectorType, *arguments: Any) -> Any:
    kind = f"{name}.v{shape.count}i{shape.element.width}"
    signature = ir.FunctionType(shape, [argument.type for argument in arguments])
    return builder.call(builder.module.declare_intrinsic(kind, (), signature), arguments)


load_bytes, store_bytes, fill_bytes = _loader(BYTES), _storer(BYTES), _filler(BYTES)
load_words, store_words, fill_words = _loader(WORDS), _storer(WORDS), _filler(WORDS)
load_word = _made(types.uint64(types.intp), lambda b, p: b.load(b.inttoptr(p, _I64.as_pointer())))


def _store_word(builder: Any, address: Any, value: Any) -> None:
    builder.store(value, builder.inttoptr(address, _I64.as_pointer()))


store_word = _made(types.void(types.intp, types.uint64), _store_word)
xor_words = _made(WORDS(WORDS, WORDS), lambda b, x, y: b.xor(x, y))


def _from(first: int) -> Any:
    """Return an intrinsic: the eight words from ``first`` on of two vectors in a row."""
    order = ir.Constant(ir.VectorType(_I32, 8), list(range(first, first + 8)))
    return _made(WORDS(WORDS, WORDS), lambda b, x, y: b.shuffle_vector(x, y, order))


words_from_1, words_from_2, words_from_4 = _from(1), _from(2), _from(4)
xor_bytes = _made(BYTES(BYTES, BYTES), lambda b, x, y: b.xor(x, y))


def _count(builder: Any, name: str, value: Any, *more: Any) -> Any:
    signature = ir.FunctionType(_I64, [_I64, *(one.type for one in more)])
    function = builder.module.declare_intrinsic(f"{name}.i64", (), signature)
    return builder.call(function, [value, *more])


parity = _made(types.uint64(types.uint64), lambda b, x: b.and_(_count(b, "llvm.ctpop", x), _I64(1)))
"""Whether the number of bits set in a word is odd."""
top_bit = _made(
    types.int64(types.uint64),
    lambda b, x: b.sub(_I64(63), _count(b, "llvm.ctlz", x, ir.Constant(_I1, 1))),
)
"""Index of the highest bit set in a word that is not 0."""

# --- arrays by their address: a dozen of them as arguments cost more than a short round of work


def _pointer(kind: Any, bits: int) -> Any:
    return _made(
        types.CPointer(kind)(types.intp),  # type: ignore[no-untyped-call]
        lambda builder, address: builder.inttoptr(address, ir.IntType(bits).as_pointer()),
    )


pointer_to_words = _pointer(types.uint64, 64)
"""Address of 64-bit words, for ``numba.carray``."""
pointer_to_numbers = _pointer(types.int64, 64)
pointer_to_places = _pointer(types.uint16, 16)
pointer_to_codes = _pointer(types.uint32, 32)
pointer_to_bytes = _pointer(types.uint8, 8)


def _fetch_ahead(builder: Any, address: Any) -> None:
    pointer = builder.inttoptr(address, _I8.as_pointer())
    signature = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
    function = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], signature)
    builder.call(function, [pointer, _I32(1), _I32(3), _I32(1)])


fetch_ahead = _made(types.void(types.intp), _fetch_ahead)
"""Ask for the cache line at an address, to be written soon."""

# --- bytes as small log-likelihood ratios: what the LDPC decoder needs


def _byte(name: str) -> Callable[..., Any]:
    return lambda builder, *arguments: _library(builder, name, _BYTES_SHAPE, *arguments)


_ZERO = _constant(_BYTES_SHAPE, 0)
_smaller, _larger = _byte("llvm.smin"), _byte("llvm.smax")
_add_saturated, _subtract_saturated = _byte("llvm.sadd.sat"), _byte("llvm.ssub.sat")
_subtract_unsigned = _byte("llvm.usub.sat")
_smaller_unsigned = _byte("llvm.umin")


def _absolute(builder: Any, value: Any) -> Any:
    return _library(builder, "llvm.abs", _BYTES_SHAPE, value, ir.Constant(_I1, 0))


def _box_plus(builder: Any, x: Any, y: Any) -> Any:
    """Emit x ⊞ y of magnitudes in quarters: min + ln(1+e^-(x+y)) - ln(1+e^-|x-y|), by pieces."""

    def flat(t: Any) -> Any:
        # 4 ln(1 + e^(-t/4)) within half a unit from t = 1 on
        rest = _subtract_unsigned(builder, _constant(_BYTES_SHAPE, 11), t)
        return builder.lshr(rest, _constant(_BYTES_SHAPE, 2))

    apart = _absolute(builder, builder.sub(x, y))
    more = flat(builder.add(x, y))  # up to 254, as bytes without a sign
    less = _larger(
        builder, flat(apart), _subtract_unsigned(builder, _constant(_BYTES_SHAPE, 3), apart)
    )
    sum_ = builder.sub(builder.add(_smaller(builder, x, y), more), less)
    return _larger(builder, sum_, _ZERO)


def _negated_where(builder: Any, signs: Any, value: Any) -> Any:
    """Emit -value in the lanes whose bit of the 64-bit ``signs`` is set."""
    mask = builder.bitcast(signs, ir.VectorType(_I1, 64))
    return builder.select(mask, builder.sub(_ZERO, value), value)


def _chosen(builder: Any, x: Any, y: Any, same: Any, other: Any) -> Any:
    return builder.select(builder.icmp_signed("==", x, y), same, other)


def _index_of_smaller(builder: Any, x: Any, y: Any, index: Any, otherwise: Any) -> Any:
    return builder.select(builder.icmp_signed("<", x, y), index, otherwise)


def _signs(builder: Any, value: Any) -> Any:
    return builder.bitcast(builder.icmp_signed("<", value, _ZERO), _I64)


smaller = _made(BYTES(BYTES, BYTES), _smaller)
smaller_unsigned = _made(BYTES(BYTES, BYTES), _smaller_unsigned)
larger = _made(BYTES(BYTES, BYTES), _larger)
add_saturated = _made(BYTES(BYTES, BYTES), _add_saturated)
subtract_saturated = _made(BYTES(BYTES, BYTES), _subtract_saturated)
absolute = _made(BYTES(BYTES), _absolute)
box_plus = _made(BYTES(BYTES, BYTES), _box_plus)
negated_where = _made(BYTES(types.uint64, BYTES), _negated_where)
chosen_if_equal = _made(BYTES(BYTES, BYTES, BYTES, BYTES), _chosen)
chosen_if_less = _made(BYTES(BYTES, BYTES, BYTES, BYTES), _index_of_smaller)
signs = _made(types.uint64(BYTES), _signs)

# --- carry-less multiply of the processor


def _wide_clmul(which: int) -> Any:
    def emit(builder: Any, x: Any, y: Any) -> Any:
        signature = ir.FunctionType(_WORDS_SHAPE, [_WORDS_SHAPE, _WORDS_SHAPE, _I8])
        name = "llvm.x86.pclmulqdq.512"
        function = builder.module.declare_intrinsic(name, (), signature)
        return builder.call(function, [x, y, _I8(which)])

    return _made(WORDS(WORDS, WORDS), emit)


clmul_even = _wide_clmul(0x00)
"""Even words of x times even words of y: four products of 128 bits."""
clmul_odd = _wide_clmul(0x10)
"""Even words of x times odd words of y."""
clmul_both_odd = _wide_clmul(0x11)
"""Odd words of x times odd words of y."""


@intrinsic
def clmul(_context: Any, x: Any, y: Any) -> Any:  # noqa: ARG001 - Numba counts them
    """Carry-less product of two 64-bit words: (low, high)."""
    signature = types.UniTuple(types.uint64, 2)(types.uint64, types.uint64)  # type: ignore[no-untyped-call]
    pair = ir.VectorType(_I64, 2)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(pair, [pair, pair, _I8])
        function = builder.module.declare_intrinsic("llvm.x86.pclmulqdq", (), kind)
        vectors = [
            builder.insert_element(ir.Constant(pair, [0, 0]), one, _I32(0)) for one in arguments
        ]
        product = builder.call(function, [*vectors, _I8(0)])
        halves = [builder.extract_element(product, _I32(at)) for at in (0, 1)]
        return context.make_tuple(builder, signature.return_type, halves)

    return signature, generate
