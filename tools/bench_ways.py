"""A job of tools/bench-pytorch and tools/bench-peers in PyTorch, in its two ways, which bench_pytorch.py explains."""

import torch
from transformers import DynamicCache

import reference_losses


class Original:
    """Points of batches whose texts are read again every time."""

    def __init__(self, model, texts, _batch_size=0):
        self.model, self.texts = model, texts

    def read_texts(self):
        """Nothing is kept."""

    def prefix(self, which):
        """(keys and values, lengths) of some texts, padded on the right."""
        lengths = [len(self.texts[i]) for i in which]
        ids = torch.zeros(len(which), max(lengths), dtype=torch.long)
        for row, i in enumerate(which):
            ids[row, : lengths[row]] = torch.tensor(self.texts[i])
        with torch.no_grad():
            out = self.model(input_ids=ids, attention_mask=text_mask(lengths), past_key_values=DynamicCache(),
                             use_cache=True)
        return out.past_key_values, lengths


class Cached:
    """Points of batches whose texts' keys and values are kept from one pass."""

    def __init__(self, model, texts, batch_size):
        self.model, self.texts, self.batch_size = model, texts, batch_size
        self.kept = [None] * len(texts)

    def read_texts(self):
        by_length = sorted(range(len(self.texts)), key=lambda i: len(self.texts[i]))
        for which in batches(by_length, self.batch_size):
            lengths = [len(self.texts[i]) for i in which]
            ids = torch.zeros(len(which), max(lengths), dtype=torch.long)
            for row, i in enumerate(which):
                ids[row, : lengths[row]] = torch.tensor(self.texts[i])
            with torch.no_grad():
                # A cache that knows the model's windows keeps fewer tokens in the layers that have one.
                out = self.model.base_model(input_ids=ids, attention_mask=text_mask(lengths),
                                            past_key_values=DynamicCache(), use_cache=True)
            layers = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
            for row, i in enumerate(which):
                # (layers, keys or values, heads, tokens, head width)
                self.kept[i] = torch.stack([torch.stack([side[row, :, : lengths[row]] for side in layer])
                                            for layer in layers])

    def prefix(self, which):
        """(keys and values, lengths) of some texts, padded on the right."""
        lengths = [len(self.texts[i]) for i in which]
        n_layers, _, heads, _, width = self.kept[which[0]].shape
        rows = torch.zeros(n_layers, 2, len(which), heads, max(lengths), width, dtype=self.model.dtype)
        for row, i in enumerate(which):
            rows[:, :, row, :, : lengths[row]] = self.kept[i]
        cache = DynamicCache()
        for layer in range(n_layers):
            cache.update(rows[layer, 0], rows[layer, 1], layer)
        return cache, lengths


WAYS = {"original": Original, "cached": Cached}


def text_mask(lengths):
    """(B, T) 1 where there is a token."""
    return (torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]).long()


def batches(order, size):
    return [order[begin : begin + size] for begin in range(0, len(order), size)]


def points(way, which, prompt):
    """(B, C) hidden states at the last prompt row after some texts, in float32 whatever the model computes in."""
    cache, lengths = way.prefix(which)
    n_rows = len(prompt)
    mask = torch.cat([text_mask(lengths), torch.ones(len(which), n_rows, dtype=torch.long)], dim=1)
    positions = torch.tensor(lengths)[:, None] + torch.arange(n_rows)[None]
    rows = prompt.to(way.model.dtype).expand(len(which), -1, -1)
    out = way.model.base_model(inputs_embeds=rows, attention_mask=mask,
                               position_ids=positions, past_key_values=cache, use_cache=True)
    return out.last_hidden_state[:, -1].float()


def class_means(way, labels, prompt, batch_size):
    """(K, C) mean points of the training texts of each class."""
    with torch.no_grad():
        all_points = torch.cat([points(way, which, prompt) for which in batches(range(len(labels)), batch_size)])
    return torch.stack([all_points[labels == k].mean(0) for k in range(int(labels.max()) + 1)])


def step(way, which, labels, prompt, centroids, adam):
    """One step of a training with some texts, in place; the loss before it. Labels are those of all texts."""
    distances = reference_losses.distances(points(way, which, prompt), centroids)
    loss = torch.nn.functional.cross_entropy(-distances, labels[which])
    adam.zero_grad()
    loss.backward()
    adam.step()
    return loss


def train(way, labels, prompt, centroids, args):
    """Trains prompt and centroids in place; the last loss."""
    adam = torch.optim.Adam([prompt, centroids], lr=args.lr)
    generator = torch.Generator().manual_seed(args.seed)
    for _ in range(args.epochs):
        order = torch.randperm(len(labels), generator=generator, device="cpu").tolist()
        for which in batches(order, args.batch_size):
            loss = step(way, which, labels, prompt, centroids, adam)
    return loss.item()


def score(way, first, labels, prompt, centroids, batch_size):
    """Accuracy of the texts from number `first` on."""
    right = 0
    with torch.no_grad():
        for which in batches(range(len(labels)), batch_size):
            batch = points(way, [first + i for i in which], prompt)
            right += (reference_losses.distances(batch, centroids).argmin(1) == labels[which]).sum().item()
    return right / len(labels)
