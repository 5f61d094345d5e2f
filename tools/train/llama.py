"""A compact Llama decoder for training on a CPU: the same maths and weight names as transformers' LlamaForCausalLM.

It leaves out what training short sequences has no use for: caches, attention masks (padding stands behind what counts, and
attention looks back only), and logits of positions whose loss nobody counts. Its state dict loads into LlamaForCausalLM.
"""

import torch
from torch import nn
from torch.nn import functional as f


class Attention(nn.Module):
    """Causal attention with rotary positions; several query heads share a key and value head."""

    def __init__(self, config):
        super().__init__()
        width, self.heads, self.groups = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
        self.size = width // self.heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, self.groups * self.size, bias=False)
        self.v_proj = nn.Linear(width, self.groups * self.size, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x, cos, sin):
        batch, length, width = x.shape
        weights = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        q, k, v = f.linear(x, weights).view(batch, length, -1, self.size).transpose(1, 2).split([self.heads, self.groups, self.groups], 1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        with torch.autocast(x.device.type, enabled=False):  # torch's own attention is slow backwards in bfloat16 on a CPU
            y = attend(q.float(), k.float(), v.float())
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, width))


def attend(q, k, v):
    """Causal attention; the query heads of a group lie behind each other, so one product serves them all."""
    batch, heads, length, size = q.shape
    groups = k.shape[1]
    scores = q.reshape(batch * groups, -1, size) @ k.reshape(batch * groups, length, size).mT * size ** -0.5
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    scores = scores.view(batch, heads, length, length).masked_fill(future, float("-inf")).softmax(-1)
    return (scores.view(batch * groups, -1, length) @ v.reshape(batch * groups, length, size)).view(batch, heads, length, size)


def rotate(x, cos, sin):
    """Rotary positions, the halves of a head paired."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config):
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        gate, up = f.linear(x, torch.cat([self.gate_proj.weight, self.up_proj.weight])).chunk(2, -1)
        return self.down_proj(f.silu(gate) * up)


class Layer(nn.Module):
    """Attention and feed-forward, each behind a norm and beside the residual stream."""

    def __init__(self, config):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config["hidden_size"], config["rms_norm_eps"])
        self.self_attn = Attention(config)
        self.post_attention_layernorm = nn.RMSNorm(config["hidden_size"], config["rms_norm_eps"])
        self.mlp = FeedForward(config)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    """Everything but the head: ids to hidden states."""

    def __init__(self, config):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = nn.RMSNorm(config["hidden_size"], config["rms_norm_eps"])
        half = config["hidden_size"] // config["num_attention_heads"] // 2
        turns = torch.outer(torch.arange(config["max_position_embeddings"]), config["rope_theta"] ** (-torch.arange(half) / half))
        self.register_buffer("cos", turns.cos(), persistent=False)
        self.register_buffer("sin", turns.sin(), persistent=False)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        cos, sin = self.cos[:ids.shape[1]].to(x.dtype), self.sin[:ids.shape[1]].to(x.dtype)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)


class Llama(nn.Module):
    """The decoder with its head tied to the embeddings; weights start as transformers would start them."""

    def __init__(self, config, spread=0.02):
        super().__init__()
        self.model = Body(config)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=spread)

    def head(self, hidden):
        """Logits."""
        return f.linear(hidden, self.model.embed_tokens.weight)
