"""LSTM and GRU unrolled by hand: all that does not depend on the previous step is one product for all steps.

The input's share of the gates, the weight gradients and all derivatives that depend on the forward pass alone are
computed for the whole context at once; the loop over time keeps one product and a few sums. The first step has no
previous state and skips its product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from trainers.fast.operations import apply, dropout, product
from trainers.models.gru import GRU, Block
from trainers.models.lstm import LSTM


# T context vectors · B batch · I input width · H hidden width · gates i, f, g, o in torch's order
class _LSTMLayer(torch.autograd.Function):
    """(T, B, I) and the layer's four parameters -> its states (T, B, H)."""

    @staticmethod
    def forward(ctx: Any, x_TBI: Tensor, w_input: Tensor, w_state: Tensor, b_input: Tensor, b_state: Tensor) -> Tensor:
        time, batch, _ = x_TBI.shape
        gates_TB4H = product(x_TBI, w_input, b_input + b_state).view(time, batch, 4, -1)
        hidden = gates_TB4H.shape[-1]
        cells_TBH, tanhs_TBH, states_TBH = (x_TBI.new_empty(time, batch, hidden) for _ in range(3))
        for t in range(time):
            gates_B4H = gates_TB4H[t]
            if t:
                gates_B4H += product(states_TBH[t - 1], w_state).view(batch, 4, hidden)
            # tanh(x) = 2 sigmoid(2 x) - 1, and torch's sigmoid is ten times as fast as its tanh
            gates_B4H[:, 2].mul_(2)
            gates_B4H.sigmoid_()
            gates_B4H[:, 2].mul_(2).sub_(1)
            i, f, g, o = gates_B4H.unbind(1)
            torch.mul(i, g, out=cells_TBH[t])
            if t:
                cells_TBH[t].addcmul_(f, cells_TBH[t - 1])
            torch.mul(cells_TBH[t], 2, out=tanhs_TBH[t]).sigmoid_().mul_(2).sub_(1)
            torch.mul(o, tanhs_TBH[t], out=states_TBH[t])
        ctx.save_for_backward(x_TBI, w_input, w_state, gates_TB4H, cells_TBH, tanhs_TBH, states_TBH)
        return states_TBH

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (d_states_TBH,) = gradients
        x_TBI, w_input, w_state, gates_TB4H, cells_TBH, tanhs_TBH, states_TBH = ctx.saved_tensors
        time, batch, hidden = states_TBH.shape
        i, f, g, o = gates_TB4H.unbind(2)
        # What a change of the cell (for o: of the state) is worth before each gate's sigmoid or tanh.
        slope_TB4H = torch.addcmul(gates_TB4H, gates_TB4H, gates_TB4H, value=-1)
        slope_TB4H[:, :, 0].mul_(g)
        slope_TB4H[1:, :, 1].mul_(cells_TBH[:-1])
        slope_TB4H[0, :, 1] = 0
        torch.mul(i, torch.addcmul(torch.ones_like(g), g, g, value=-1), out=slope_TB4H[:, :, 2])
        slope_TB4H[:, :, 3].mul_(tanhs_TBH)
        cell_of_state_TBH = torch.addcmul(o, o * tanhs_TBH, tanhs_TBH, value=-1)
        d_gates_TB4H = torch.empty_like(gates_TB4H)
        d_state, d_cell = d_states_TBH[-1], torch.zeros_like(i[0])
        for t in reversed(range(time)):
            d_cell.addcmul_(d_state, cell_of_state_TBH[t])
            torch.mul(slope_TB4H[t, :, :3], d_cell[:, None], out=d_gates_TB4H[t, :, :3])
            torch.mul(slope_TB4H[t, :, 3], d_state, out=d_gates_TB4H[t, :, 3])
            if t:
                d_cell.mul_(f[t])
                d_state = product(d_gates_TB4H[t].view(batch, -1), w_state.t()).add_(d_states_TBH[t - 1])
        d_rows = d_gates_TB4H.view(time * batch, 4 * hidden)
        d_x = product(d_rows, w_input.t()).view_as(x_TBI) if ctx.needs_input_grad[0] else None
        d_w_input = product(d_rows.t(), x_TBI.reshape(time * batch, -1).t())
        d_w_state = product(d_rows[batch:].t(), states_TBH[:-1].reshape(-1, hidden).t())
        d_bias = d_rows.sum(0)
        return d_x, d_w_input, d_w_state, d_bias, d_bias.clone()


def lstm(model: LSTM, context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D)."""
    x_TBH = context_BTD.transpose(0, 1).contiguous()
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, nn.LSTM)
        if index:
            x_TBH = dropout(x_TBH, model.dropout.p, model.training)
        x_TBH = _LSTMLayer.apply(x_TBH, *layer.all_weights[0])
    return apply(model.head, x_TBH[-1])


# T context vectors · B batch · I input width · H hidden width · gates r, z, n in torch's order
class _GRULayer(torch.autograd.Function):
    """(T, B, I) and the layer's four parameters -> its states (T, B, H)."""

    @staticmethod
    def forward(ctx: Any, x_TBI: Tensor, w_input: Tensor, w_state: Tensor, b_input: Tensor, b_state: Tensor) -> Tensor:
        time, batch, _ = x_TBI.shape
        gates_TB3H = product(x_TBI, w_input, b_input).view(time, batch, 3, -1)
        hidden = gates_TB3H.shape[-1]
        shares_TBH, states_TBH = (x_TBI.new_empty(time, batch, hidden) for _ in range(2))
        """The state's share of n before the reset gate, and the states."""
        for t in range(time):
            r_z, n = gates_TB3H[t, :, :2], gates_TB3H[t, :, 2]
            from_state = product(states_TBH[t - 1], w_state, b_state) if t else b_state.expand(batch, -1)
            from_state = from_state.view(batch, 3, hidden)
            r_z.add_(from_state[:, :2]).sigmoid_()
            shares_TBH[t] = from_state[:, 2]
            # tanh(x) = 2 sigmoid(2 x) - 1, and torch's sigmoid is ten times as fast as its tanh
            n.addcmul_(r_z[:, 0], shares_TBH[t]).mul_(2).sigmoid_().mul_(2).sub_(1)
            if t:
                torch.lerp(n, states_TBH[t - 1], r_z[:, 1], out=states_TBH[t])
            else:
                torch.addcmul(n, n, r_z[:, 1], value=-1, out=states_TBH[t])
        ctx.save_for_backward(x_TBI, w_input, w_state, gates_TB3H, shares_TBH, states_TBH)
        return states_TBH

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (d_states_TBH,) = gradients
        x_TBI, w_input, w_state, gates_TB3H, shares_TBH, states_TBH = ctx.saved_tensors
        time, batch, hidden = states_TBH.shape
        r, z, n = gates_TB3H.unbind(2)
        # What a change of the state is worth before each gate's sigmoid or tanh.
        slope_TB3H = torch.addcmul(gates_TB3H, gates_TB3H, gates_TB3H, value=-1)
        slope_r, slope_z, slope_n = slope_TB3H.unbind(2)
        torch.mul(1 - z, torch.addcmul(torch.ones_like(n), n, n, value=-1), out=slope_n)
        slope_r.mul_(slope_n).mul_(shares_TBH)
        slope_z[1:].mul_(states_TBH[:-1] - n[1:])
        slope_z[0].mul_(-n[0])
        d_TBH = torch.empty_like(states_TBH)
        d_from_state_TB3H = slope_TB3H.clone()
        d_from_state_TB3H[:, :, 2].mul_(r)
        d_TBH[-1] = d_states_TBH[-1]
        for t in reversed(range(time)):
            d_from_state_TB3H[t].mul_(d_TBH[t, :, None])
            if t:
                torch.addcmul(d_states_TBH[t - 1], d_TBH[t], z[t], out=d_TBH[t - 1])
                d_TBH[t - 1] += product(d_from_state_TB3H[t].view(batch, -1), w_state.t())
        d_rows = slope_TB3H.mul_(d_TBH[:, :, None]).view(time * batch, -1)
        d_from_state = d_from_state_TB3H.view(time * batch, -1)
        d_x = product(d_rows, w_input.t()).view_as(x_TBI) if ctx.needs_input_grad[0] else None
        d_w_input = product(d_rows.t(), x_TBI.reshape(time * batch, -1).t())
        d_w_state = product(d_from_state[batch:].t(), states_TBH[:-1].reshape(-1, hidden).t())
        return d_x, d_w_input, d_w_state, d_rows.sum(0), d_from_state.sum(0)


def gru(model: GRU, context_BTD: Tensor) -> Tensor:
    """(B, T, D) -> (B, D)."""
    x_TBH = apply(model.project, context_BTD.transpose(0, 1).contiguous())
    for block in model.blocks:
        assert isinstance(block, Block)
        x_TBH = block.norm(x_TBH + _GRULayer.apply(x_TBH, *block.gru.all_weights[0]))
    return apply(model.head, x_TBH[-1])
