# Numba infers the types; kernels take arrays one by one.
# mypy: disable-error-code="no-untyped-def, call-overload"
# ruff: noqa: ANN001, ANN202, C901, PLR0124, PLR0912, PLR0915, PLR0917
"""The inner loops, compiled. Imported only when a network is run: Numba takes a second to load.

Every kernel releases the interpreter lock and works on a range of firms, so that plain threads
share the work; no threading layer of Numba is used (its default one cannot be called from two
threads at once). Arguments are checked by the callers.
"""

import numpy as np
from numba import njit

_FAST = {"cache": True, "nogil": True, "fastmath": True}


@njit(**_FAST)
def sweep(
    first, last, down, up, capacity, scarce, in_ptr, supplier, in_weight, group_end, linear_ptr,
    group_ptr, out_ptr, buyer, out_weight, own_demand, new_down, new_up,
):  # fmt: skip
    """Move firms first … last - 1 one step on; return the largest change.

    ``scarce`` is replaceability times what is missing, by supplier. ``in_weight`` is divided by
    the total of its group (essential) or of the buyer (linear), ``out_weight`` by the seller's
    output, ``own_demand`` is the share of sales outside the network.
    """
    worst = 0.0
    for i in range(first, last):
        least = capacity[i]
        least = min(least, down[i])
        e = in_ptr[i]
        for g in range(group_ptr[i], linear_ptr[i]):
            lost = 0.0
            end = group_end[g]
            while e < end:
                lost += in_weight[e] * scarce[supplier[e]]
                e += 1
            least = min(least, 1.0 - lost)
        linear = 0.0
        for k in range(e, in_ptr[i + 1]):
            linear += in_weight[k] * scarce[supplier[k]]
        least = min(least, 1.0 - linear)
        least = max(least, 0.0)
        worst = max(worst, down[i] - least)
        new_down[i] = least
        kept = capacity[i]
        kept = min(kept, up[i])
        if out_ptr[i + 1] > out_ptr[i]:
            asked = own_demand[i]
            for e in range(out_ptr[i], out_ptr[i + 1]):
                asked += out_weight[e] * up[buyer[e]]
            kept = min(kept, asked)
        worst = max(worst, up[i] - kept)
        new_up[i] = kept
    return worst


@njit(**_FAST)
def close_one(
    firm, out_ptr, buyer, push_weight, push_group, group_kind, in_ptr, supplier,
    pull_weight, output, sector, sector_output, tolerance, most_iterations, cutoff,
    down, up, fresh, group_lost, linear_lost, up_lost, sent_down, sent_up,
    touched_firms, hit_down, hit_up, in_down, in_up, in_touched, available,
):  # fmt: skip
    """Close one firm and return (lost output, iterations); work arrays are left as they came.

    Only what changed is pushed on: a firm sends the difference to what it sent before, once that
    is above ``cutoff``; losses gather in the groups of its buyers.
    """
    hit_down[0] = firm
    hit_up[0] = firm
    downs = 1
    ups = 1
    down[firm] = 0.0
    up[firm] = 0.0
    in_down[firm] = 1
    in_up[firm] = 1
    for s in range(sector_output.shape[0]):
        available[s] = sector_output[s]
    available[sector[firm]] -= output[firm]
    iterations = 0
    while iterations < most_iterations:
        iterations += 1
        worst = 0.0
        changed = 0
        known = downs
        for a in range(known):
            j = hit_down[a]
            share = 1.0
            if available[sector[j]] > output[j]:
                share = output[j] / available[sector[j]]
            scarce = share * (1.0 - down[j])
            more = scarce - sent_down[j]
            if more <= cutoff:
                continue
            sent_down[j] = scarce
            for e in range(out_ptr[j], out_ptr[j + 1]):
                g = push_group[e]
                i = buyer[e]
                if group_kind[g]:
                    group_lost[g] += push_weight[e] * more
                    value = 1.0 - group_lost[g]
                else:
                    linear_lost[i] += push_weight[e] * more
                    value = 1.0 - linear_lost[i]
                if in_touched[i] == 0:
                    if value >= down[i]:
                        continue
                    in_touched[i] = 1
                    touched_firms[changed] = i
                    changed += 1
                    fresh[i] = down[i]
                fresh[i] = min(fresh[i], value)
        for a in range(changed):
            i = touched_firms[a]
            in_touched[i] = 0
            value = fresh[i]
            value = max(value, 0.0)
            fall = down[i] - value
            if fall > 0.0:
                worst = max(worst, fall)
                available[sector[i]] -= output[i] * fall
                down[i] = value
                if in_down[i] == 0:
                    in_down[i] = 1
                    hit_down[downs] = i
                    downs += 1
        changed = 0
        known = ups
        for a in range(known):
            i = hit_up[a]
            more = (1.0 - up[i]) - sent_up[i]
            if more <= cutoff:
                continue
            sent_up[i] += more
            for e in range(in_ptr[i], in_ptr[i + 1]):
                j = supplier[e]
                up_lost[j] += pull_weight[e] * more
                if in_touched[j] == 0:
                    in_touched[j] = 1
                    touched_firms[changed] = j
                    changed += 1
        for a in range(changed):
            j = touched_firms[a]
            in_touched[j] = 0
            value = 1.0 - up_lost[j]
            value = max(value, 0.0)
            fall = up[j] - value
            if fall > 0.0:
                worst = max(worst, fall)
                up[j] = value
                if in_up[j] == 0:
                    in_up[j] = 1
                    hit_up[ups] = j
                    ups += 1
        if worst < tolerance:
            break
    lost = 0.0
    for a in range(downs):
        i = hit_down[a]
        least = down[i]
        least = min(least, up[i])
        lost += output[i] * (1.0 - least)
    for a in range(ups):
        i = hit_up[a]
        if in_down[i] == 0:
            lost += output[i] * (1.0 - up[i])
    for a in range(downs):
        j = hit_down[a]
        if sent_down[j] > 0.0:
            sent_down[j] = 0.0
            for e in range(out_ptr[j], out_ptr[j + 1]):
                group_lost[push_group[e]] = 0.0
                linear_lost[buyer[e]] = 0.0
        down[j] = 1.0
        in_down[j] = 0
    for a in range(ups):
        i = hit_up[a]
        if sent_up[i] > 0.0:
            sent_up[i] = 0.0
            for e in range(in_ptr[i], in_ptr[i + 1]):
                up_lost[supplier[e]] = 0.0
        up[i] = 1.0
        in_up[i] = 0
    return lost, iterations


@njit(cache=True, nogil=True)
def close_each(
    firms, out_ptr, buyer, push_weight, push_group, group_kind, in_ptr, supplier,
    pull_weight, output, sector, sector_output, tolerance, most_iterations, cutoff, lost,
    iterations,
):  # fmt: skip
    """Close each of some firms by itself."""
    n = output.shape[0]
    down = np.ones(n)
    up = np.ones(n)
    fresh = np.ones(n)
    group_lost = np.zeros(group_kind.shape[0])
    linear_lost = np.zeros(n)
    up_lost = np.zeros(n)
    sent_down = np.zeros(n)
    sent_up = np.zeros(n)
    touched_firms = np.empty(n, np.int32)
    hit_down = np.empty(n, np.int32)
    hit_up = np.empty(n, np.int32)
    in_down = np.zeros(n, np.uint8)
    in_up = np.zeros(n, np.uint8)
    in_touched = np.zeros(n, np.uint8)
    available = np.empty(sector_output.shape[0])
    for k in range(firms.shape[0]):
        lost[k], iterations[k] = close_one(
            firms[k], out_ptr, buyer, push_weight, push_group, group_kind, in_ptr,
            supplier, pull_weight, output, sector, sector_output, tolerance, most_iterations,
            cutoff, down, up, fresh, group_lost, linear_lost, up_lost, sent_down, sent_up,
            touched_firms, hit_down, hit_up, in_down, in_up, in_touched, available,
        )  # fmt: skip


@njit(**_FAST)
def produce(
    first, last, day, capacity, base, demand, stock, group_ptr, linear_ptr, group_cover, made,
    filled, first_hit, first_out,
):  # fmt: skip
    """Let firms first … last - 1 make what capacity, orders and stocks allow.

    ``group_cover`` is the output that one unit of stock of a group allows.
    """
    for i in range(first, last):
        most = capacity[i] * base[i]
        most = min(most, demand[i])
        short = False
        for g in range(group_ptr[i], linear_ptr[i]):
            possible = stock[g] * group_cover[g]
            if possible < most:
                most = possible
                short = True
        made[i] = most
        filled[i] = most / demand[i] if demand[i] > 0.0 else 1.0
        if first_hit[i] < 0 and most < base[i] * (1.0 - 1e-6):
            first_hit[i] = day
        if short and first_out[i] < 0 and most < base[i] * (1.0 - 1e-6):
            first_out[i] = day


@njit(**_FAST)
def restock(
    first, last, made, base, filled, stock, target, asked, group_ptr, group_end, in_ptr, supplier,
    weight, group_use, per_use, mend, demand,
):  # fmt: skip
    """Deliver to buyers first … last - 1, use up, order anew; add the orders to ``demand``.

    An order is the base order times a factor of its group (``asked``), so that links need no
    state of their own.
    """
    for i in range(first, last):
        rate = made[i] / base[i] if base[i] > 0.0 else 0.0
        e = in_ptr[i]
        for g in range(group_ptr[i], group_ptr[i + 1]):
            got = 0.0
            begin = e
            end = group_end[g]
            while e < end:
                got += weight[e] * filled[supplier[e]]
                e += 1
            used = rate * group_use[g]
            left = stock[g] + got * asked[g] - used
            left = max(left, 0.0)
            stock[g] = left
            wanted = used + (target[g] - left) * mend
            wanted = max(wanted, 0.0)
            factor = wanted * per_use[g]
            asked[g] = factor
            for k in range(begin, end):
                demand[supplier[k]] += weight[k] * factor


@njit(cache=True, nogil=True)
def robust_z(values, window, least, floor, z, centre, spread):
    """Score each value against the median of the window before it; NaN where too little is known.

    ``values`` is (series, months); the spread is 1.4826 times the median absolute deviation plus
    ``floor``.
    """
    kept = np.empty(window)
    for s in range(values.shape[0]):
        for t in range(values.shape[1]):
            z[s, t] = np.nan
            centre[s, t] = np.nan
            spread[s, t] = np.nan
            if t < window:
                continue
            n = 0
            for k in range(t - window, t):
                v = values[s, k]
                if v == v:
                    kept[n] = v
                    n += 1
            if n < least:
                continue
            known = kept[:n]
            known.sort()
            middle = _middle(known)
            for k in range(n):
                known[k] = abs(known[k] - middle)
            known.sort()
            wide = 1.4826 * _middle(known) + floor
            centre[s, t] = middle
            spread[s, t] = wide
            v = values[s, t]
            if v == v:
                z[s, t] = (v - middle) / wide


@njit(cache=True, nogil=True, inline="always")
def _middle(ordered):
    n = ordered.shape[0]
    half = n // 2
    if n % 2 == 1:
        return ordered[half]
    return 0.5 * (ordered[half - 1] + ordered[half])
