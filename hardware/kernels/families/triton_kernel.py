# mypy: disable-error-code="no-untyped-def,no-untyped-call,arg-type"
"""Tiled attention for a GPU in Triton: output, gradient of the queries, gradients of keys and values.

Logits are kept in units of log 2. Inputs are given by address and the strides of batch, head and row (numbers lie next
to each other); results are contiguous. A program does one tile of rows of one head. Tiles with a masked pair and tiles
without go through loops of their own. The head size is padded to ``WIDTH``, a power of two.
"""

import triton
import triton.language as tl


@triton.jit
def _load(base, stride, first, end, HEAD: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, WHOLE: tl.constexpr):
    """Load rows ``first`` to ``first + BLOCK``, 0 from ``end`` on; WHOLE: no row is beyond ``end``."""
    rows = first + tl.arange(0, BLOCK)
    columns = tl.arange(0, WIDTH)
    where = base + rows[:, None].to(tl.int64) * stride + columns[None, :]
    if WHOLE:
        tile = tl.load(where) if HEAD == WIDTH else tl.load(where, mask=columns[None, :] < HEAD, other=0.0)
    else:
        tile = tl.load(where, mask=(rows[:, None] < end) & (columns[None, :] < HEAD), other=0.0)
    return tile


@triton.jit
def _store(base, tile, first, end, HEAD: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    rows = first + tl.arange(0, BLOCK)
    columns = tl.arange(0, WIDTH)
    where = base + rows[:, None].to(tl.int64) * HEAD + columns[None, :]
    tl.store(where, tile.to(base.dtype.element_ty), mask=(rows[:, None] < end) & (columns[None, :] < HEAD))


@triton.jit
def _head(base, batch_stride, head_stride, heads):
    """Return the address of the head of this program."""
    pair = tl.program_id(1)
    return base + (pair // heads).to(tl.int64) * batch_stride + (pair % heads).to(tl.int64) * head_stride


@triton.jit
def _visible(row, column, queries, keys, CAUSAL: tl.constexpr, Q_BLOCK: tl.constexpr, K_BLOCK: tl.constexpr):
    """Return the mask of visible pairs in the tile at (row, column)."""
    rows = row + tl.arange(0, Q_BLOCK)[:, None]
    columns = column + tl.arange(0, K_BLOCK)[None, :]
    seen = columns < keys
    if CAUSAL:
        seen = seen & (columns <= rows + keys - queries)
    return seen


@triton.jit
def _reach(row, queries, keys, CAUSAL: tl.constexpr, Q_BLOCK: tl.constexpr, K_BLOCK: tl.constexpr):
    """Return the keys that all rows of a tile of queries see, in whole tiles, and the keys that any row sees."""
    whole = keys
    end = keys
    if CAUSAL:
        whole = tl.maximum(0, tl.minimum(keys, row + keys - queries + 1))
        end = tl.maximum(0, tl.minimum(keys, row + keys - queries + Q_BLOCK))
    return whole // K_BLOCK * K_BLOCK, end


@triton.jit
def _attend(
    out,
    total,
    highest,
    q_tile,
    k,
    v,
    k_row,
    v_row,
    row,
    start,
    end,
    queries,
    keys,
    scale,
    HEAD: tl.constexpr,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    Q_BLOCK: tl.constexpr,
    K_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WHOLE: tl.constexpr,
):
    """Run the online softmax over the keys from ``start`` to ``end``."""
    for column in range(start, end, K_BLOCK):
        k_tile = _load(k, k_row, column, keys, HEAD, WIDTH, K_BLOCK, WHOLE)
        logits = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * scale
        if WHOLE:
            higher = tl.maximum(highest, tl.max(logits, 1))
            anchor = higher
        else:
            logits = tl.where(_visible(row, column, queries, keys, CAUSAL, Q_BLOCK, K_BLOCK), logits, -float("inf"))
            higher = tl.maximum(highest, tl.max(logits, 1))
            anchor = tl.where(higher == -float("inf"), 0.0, higher)
        weights = tl.exp2(logits - anchor[:, None])
        shrink = tl.exp2(highest - anchor)
        total = total * shrink + tl.sum(weights, 1)
        v_tile = _load(v, v_row, column, keys, HEAD, WIDTH, K_BLOCK, WHOLE)
        out = tl.dot(weights.to(v_tile.dtype), v_tile, out * shrink[:, None], input_precision=PRECISION)
        highest = higher
    return out, total, highest


@triton.jit
def forward_kernel(
    q,
    k,
    v,
    out,
    lse,
    q_batch,
    q_head,
    q_row,
    k_batch,
    k_head,
    k_row,
    v_batch,
    v_head,
    v_row,
    heads,
    queries,
    keys,
    scale,
    HEAD: tl.constexpr,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    Q_BLOCK: tl.constexpr,
    K_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Compute output and log2-sum-exp2 of a tile of queries, 0 if no key is visible; ``scale`` includes log2(e)."""
    row = tl.program_id(0) * Q_BLOCK
    q_tile = _load(_head(q, q_batch, q_head, heads), q_row, row, queries, HEAD, WIDTH, Q_BLOCK, False)
    k = _head(k, k_batch, k_head, heads)
    v = _head(v, v_batch, v_head, heads)
    whole, end = _reach(row, queries, keys, CAUSAL, Q_BLOCK, K_BLOCK)
    tile = tl.zeros([Q_BLOCK, WIDTH], dtype=tl.float32)
    total = tl.zeros([Q_BLOCK], dtype=tl.float32)
    highest = tl.zeros([Q_BLOCK], dtype=tl.float32) - float("inf")
    tile, total, highest = _attend(
        tile,
        total,
        highest,
        q_tile,
        k,
        v,
        k_row,
        v_row,
        row,
        0,
        whole,
        queries,
        keys,
        scale,
        HEAD,
        WIDTH,
        CAUSAL,
        Q_BLOCK,
        K_BLOCK,
        PRECISION,
        True,
    )
    tile, total, highest = _attend(
        tile,
        total,
        highest,
        q_tile,
        k,
        v,
        k_row,
        v_row,
        row,
        whole,
        end,
        queries,
        keys,
        scale,
        HEAD,
        WIDTH,
        CAUSAL,
        Q_BLOCK,
        K_BLOCK,
        PRECISION,
        False,
    )
    blind = total == 0.0
    divisor = tl.where(blind, 1.0, total)
    total_log = tl.where(blind, 0.0, highest) + tl.log2(divisor)
    first = tl.program_id(1).to(tl.int64) * queries
    _store(out + first * HEAD, tile / divisor[:, None], row, queries, HEAD, WIDTH, Q_BLOCK)
    rows = row + tl.arange(0, Q_BLOCK)
    tl.store(lse + first + rows, total_log, mask=rows < queries)


@triton.jit
def _accumulate_dq(
    dq,
    q_tile,
    dout_tile,
    lse,
    mean,
    k,
    v,
    k_row,
    v_row,
    row,
    start,
    end,
    queries,
    keys,
    scale,
    HEAD: tl.constexpr,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    Q_BLOCK: tl.constexpr,
    K_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WHOLE: tl.constexpr,
):
    """Add the gradient of a tile of queries from the keys from ``start`` to ``end``."""
    for column in range(start, end, K_BLOCK):
        k_tile = _load(k, k_row, column, keys, HEAD, WIDTH, K_BLOCK, WHOLE)
        v_tile = _load(v, v_row, column, keys, HEAD, WIDTH, K_BLOCK, WHOLE)
        logits = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * scale
        if not WHOLE:
            logits = tl.where(_visible(row, column, queries, keys, CAUSAL, Q_BLOCK, K_BLOCK), logits, -float("inf"))
        weights = tl.exp2(logits - lse[:, None])
        dweights = tl.dot(dout_tile, tl.trans(v_tile), input_precision=PRECISION)
        dlogits = weights * (dweights - mean[:, None])
        dq = tl.dot(dlogits.to(k_tile.dtype), k_tile, dq, input_precision=PRECISION)
    return dq


@triton.jit
def backward_dq_kernel(
    q,
    k,
    v,
    dout,
    out,
    lse,
    mean,
    dq,
    q_batch,
    q_head,
    q_row,
    k_batch,
    k_head,
    k_row,
    v_batch,
    v_head,
    v_row,
    d_batch,
    d_head,
    d_row,
    heads,
    queries,
    keys,
    scale,
    dscale,
    HEAD: tl.constexpr,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    Q_BLOCK: tl.constexpr,
    K_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Compute dq of a tile of queries, and sum(out * dout) of its rows for the gradients of the keys."""
    row = tl.program_id(0) * Q_BLOCK
    first = tl.program_id(1).to(tl.int64) * queries
    rows = row + tl.arange(0, Q_BLOCK)
    q_tile = _load(_head(q, q_batch, q_head, heads), q_row, row, queries, HEAD, WIDTH, Q_BLOCK, False)
    dout_tile = _load(_head(dout, d_batch, d_head, heads), d_row, row, queries, HEAD, WIDTH, Q_BLOCK, False)
    out_tile = _load(out + first * HEAD, HEAD, row, queries, HEAD, WIDTH, Q_BLOCK, False)
    means = tl.sum(out_tile.to(tl.float32) * dout_tile.to(tl.float32), 1)
    tl.store(mean + first + rows, means, mask=rows < queries)
    lses = tl.load(lse + first + rows, mask=rows < queries, other=0.0)
    k = _head(k, k_batch, k_head, heads)
    v = _head(v, v_batch, v_head, heads)
    whole, end = _reach(row, queries, keys, CAUSAL, Q_BLOCK, K_BLOCK)
    tile = tl.zeros([Q_BLOCK, WIDTH], dtype=tl.float32)
    tile = _accumulate_dq(
        tile,
        q_tile,
        dout_tile,
        lses,
        means,
        k,
        v,
        k_row,
        v_row,
        row,
        0,
        whole,
        queries,
        keys,
        scale,
        HEAD,
        WIDTH,
        CAUSAL,
        Q_BLOCK,
        K_BLOCK,
        PRECISION,
        True,
    )
    tile = _accumulate_dq(
        tile,
        q_tile,
        dout_tile,
        lses,
        means,
        k,
        v,
        k_row,
        v_row,
        row,
        whole,
        end,
        queries,
        keys,
        scale,
        HEAD,
        WIDTH,
        CAUSAL,
        Q_BLOCK,
        K_BLOCK,
        PRECISION,
        False,
    )
    _store(dq + first * HEAD, tile * dscale, row, queries, HEAD, WIDTH, Q_BLOCK)


@triton.jit
def _accumulate_dkdv(
    dk,
    dv,
    k_tile,
    v_tile,
    q,
    dout,
    lse,
    mean,
    q_row,
    d_row,
    column,
    start,
    end,
    queries,
    keys,
    scale,
    HEAD: tl.constexpr,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    Q_BLOCK: tl.constexpr,
    K_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WHOLE: tl.constexpr,
):
    """Add the gradients of a tile of keys from the queries from ``start`` to ``end``."""
    for row in range(start, end, Q_BLOCK):
        rows = row + tl.arange(0, Q_BLOCK)
        q_tile = _load(q, q_row, row, queries, HEAD, WIDTH, Q_BLOCK, False)
        dout_tile = _load(dout, d_row, row, queries, HEAD, WIDTH, Q_BLOCK, False)
        lses = tl.load(lse + rows, mask=rows < queries, other=0.0)
        means = tl.load(mean + rows, mask=rows < queries, other=0.0)
        logits = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * scale
        if not WHOLE:
            logits = tl.where(_visible(row, column, queries, keys, CAUSAL, Q_BLOCK, K_BLOCK), logits, -float("inf"))
        weights = tl.exp2(logits - lses[:, None])
        dv = tl.dot(tl.trans(weights.to(dout_tile.dtype)), dout_tile, dv, input_precision=PRECISION)
        dweights = tl.dot(dout_tile, tl.trans(v_tile), input_precision=PRECISION)
        dlogits = weights * (dweights - means[:, None])
        dk = tl.dot(tl.trans(dlogits.to(q_tile.dtype)), q_tile, dk, input_precision=PRECISION)
    return dk, dv


@triton.jit
def backward_dkdv_kernel(
    q,
    k,
    v,
    dout,
    lse,
    mean,
    dk,
    dv,
    q_batch,
    q_head,
    q_row,
    k_batch,
    k_head,
    k_row,
    v_batch,
    v_head,
    v_row,
    d_batch,
    d_head,
    d_row,
    heads,
    queries,
    keys,
    scale,
    dscale,
    HEAD: tl.constexpr,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    Q_BLOCK: tl.constexpr,
    K_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Compute dk and dv of a tile of keys."""
    column = tl.program_id(0) * K_BLOCK
    pair = tl.program_id(1).to(tl.int64)
    k_tile = _load(_head(k, k_batch, k_head, heads), k_row, column, keys, HEAD, WIDTH, K_BLOCK, False)
    v_tile = _load(_head(v, v_batch, v_head, heads), v_row, column, keys, HEAD, WIDTH, K_BLOCK, False)
    q = _head(q, q_batch, q_head, heads)
    dout = _head(dout, d_batch, d_head, heads)
    lse += pair * queries
    mean += pair * queries
    start = 0
    middle = 0
    if CAUSAL:  # first row that sees a key of the tile, and first tile whose rows see all of them
        start = tl.maximum(0, column - (keys - queries)) // Q_BLOCK * Q_BLOCK
        middle = tl.cdiv(tl.maximum(0, column + K_BLOCK - 1 - (keys - queries)), Q_BLOCK) * Q_BLOCK
    if column + K_BLOCK > keys:
        middle = tl.cdiv(queries, Q_BLOCK) * Q_BLOCK
    dk_tile = tl.zeros([K_BLOCK, WIDTH], dtype=tl.float32)
    dv_tile = tl.zeros([K_BLOCK, WIDTH], dtype=tl.float32)
    dk_tile, dv_tile = _accumulate_dkdv(
        dk_tile,
        dv_tile,
        k_tile,
        v_tile,
        q,
        dout,
        lse,
        mean,
        q_row,
        d_row,
        column,
        start,
        tl.minimum(middle, queries),
        queries,
        keys,
        scale,
        HEAD,
        WIDTH,
        CAUSAL,
        Q_BLOCK,
        K_BLOCK,
        PRECISION,
        False,
    )
    dk_tile, dv_tile = _accumulate_dkdv(
        dk_tile,
        dv_tile,
        k_tile,
        v_tile,
        q,
        dout,
        lse,
        mean,
        q_row,
        d_row,
        column,
        middle,
        queries,
        queries,
        keys,
        scale,
        HEAD,
        WIDTH,
        CAUSAL,
        Q_BLOCK,
        K_BLOCK,
        PRECISION,
        True,
    )
    _store(dk + pair * keys * HEAD, dk_tile * dscale, column, keys, HEAD, WIDTH, K_BLOCK)
    _store(dv + pair * keys * HEAD, dv_tile, column, keys, HEAD, WIDTH, K_BLOCK)
