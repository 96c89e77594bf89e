"""Reference vectors of the losses, the calculated centroid update and the boids (losses.json).

Points are (B, D), centroids (K, D), flattened row by row in the JSON. Everything starts from inputs
already rounded as they are written, so a reader of the file has exactly what the reference had.
"""

import torch

from reference_json import difference, rounded

# torch.nn.functional.pairwise_distance adds this to every component of a - b.
DISTANCE_EPS = 1e-6

NOTE = "d(a,b) = ||a - b + 1e-6||_2, the 1e-6 added to every component; points (B,D), centroids (K,D), row-major"

# (B, K, D) of the loss cases; K = 2, 3 and 5, widths on both sides of a vector register.
LOSS_SHAPES = [(1, 2, 7), (6, 2, 1), (2, 2, 64), (5, 3, 7), (6, 3, 33), (7, 5, 1), (4, 5, 64)]

# (B, K, D), repulsion, lethargy, form of the calculated update.
UPDATES = [
    ((8, 2, 7), 0.0, 0.9, "original"),
    ((8, 2, 33), 0.1, 0.9, "original"),
    ((9, 3, 7), 0.1, 0.9, "original"),
    ((12, 5, 64), 0.5, 0.3, "original"),
    ((6, 2, 1), 0.1, 0.5, "original"),
    ((8, 2, 33), 0.1, 0.9, "away"),
    ((9, 3, 7), 0.5, 0.3, "away"),
    ((4, 5, 11), 0.2, 0.9, "away"),
]

# Name, count, dimensions of the flocks.
BOIDS = [("boids", 10, 2), ("boids_3d", 5, 3)]
BOIDS_LR = 0.1
BOIDS_STEPS = 100
BOIDS_EXTENT = 10.0

# The same in float32 must come this close, or the inputs are of no use to anybody who computes in float32.
FLOAT32_TOLERANCE = 2e-5


def distance(a, b):
    """Euclidean distance over the last axis, as pairwise_distance has it."""
    return torch.linalg.vector_norm(a - b + DISTANCE_EPS, dim=-1)


def distances(points, centroids):
    """(B, K) distances of every point from every centroid."""
    return distance(points[:, None, :], centroids[None, :, :])


def centroid_loss(points, centroids, labels, distance_factor=1.0, repulsion_factor=1.0):
    """Mean distance from the own centroid plus the mean over pairs of centroids of 1/d."""
    loss = distance_factor * distance(points, centroids[labels]).mean()
    if repulsion_factor:
        first, second = torch.triu_indices(len(centroids), len(centroids), 1)
        loss = loss + repulsion_factor * (1 / distance(centroids[first], centroids[second])).mean()
    return loss


def attract_repel_loss(points, centroids, labels, attraction_factor=1.0, repulsion_factor=1.0):
    """Mean distance from the own centroid plus the mean of 1/d from the others."""
    every = distances(points, centroids)
    other = torch.ones_like(every, dtype=torch.bool).scatter_(1, labels[:, None], False)
    attraction = distance(points, centroids[labels]).mean()
    return attraction_factor * attraction + repulsion_factor * (1 / every[other]).mean()


def cross_entropy_loss(points, centroids, labels):
    """Softmax cross entropy over the negative distances."""
    return torch.nn.functional.cross_entropy(-distances(points, centroids), labels)


LOSSES = {
    "centroid": centroid_loss,
    "centroid_100_0": lambda x, c, y: centroid_loss(x, c, y, 100.0, 0.0),
    "attract_repel": attract_repel_loss,
    "attract_repel_0.5_3": lambda x, c, y: attract_repel_loss(x, c, y, 0.5, 3.0),
    "cross_entropy": cross_entropy_loss,
}


def calculated_centroids(points, centroids, labels, repulsion, lethargy, form="original"):
    """The centroids after one calculated update; a class absent from the batch keeps its own."""
    updated = centroids.clone()
    for k in labels.unique().tolist():
        others = torch.cat([centroids[:k], centroids[k + 1 :]]).mean(0)
        push = others if form == "original" else centroids[k] - others
        target = points[labels == k].mean(0) + repulsion * push / torch.linalg.vector_norm(push)
        updated[k] = lethargy * centroids[k] + (1 - lethargy) * target
    return updated


def boids_loss(places):
    """Mean over ordered pairs of d + 1/d."""
    apart = ~torch.eye(len(places), dtype=torch.bool)
    d = distances(places, places)[apart]
    return d.mean() + (1 / d).mean()


def boids(start, lr, steps):
    """(losses, last places) of Adam on the boids' loss; a loss is taken before its step."""
    places = start.clone().requires_grad_()
    adam = torch.optim.Adam([places], lr=lr)
    losses = []
    for _ in range(steps):
        adam.zero_grad()
        loss = boids_loss(places)
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses, places.detach()


def tensor(values, width, dtype):
    return torch.tensor(values, dtype=dtype).reshape(-1, width)


def loss_result(case, dtype=torch.float64):
    """Value and gradients of one case from its inputs."""
    points = tensor(case["points"], case["dim"], dtype).requires_grad_()
    centroids = tensor(case["centroids"], case["dim"], dtype).requires_grad_()
    value = LOSSES[case["loss"]](points, centroids, torch.tensor(case["labels"]))
    # A factor of 0 leaves a gradient out of the graph; it is 0 then.
    d_points, d_centroids = torch.autograd.grad(value, [points, centroids], materialize_grads=True)
    return {"value": value.item(), "d_points": d_points.flatten().tolist(),
            "d_centroids": d_centroids.flatten().tolist()}


def update_result(case, dtype=torch.float64):
    updated = calculated_centroids(
        tensor(case["points"], case["dim"], dtype), tensor(case["centroids"], case["dim"], dtype),
        torch.tensor(case["labels"]), case["repulsion"], case["lethargy"], case.get("form", "original"))
    return {"updated": updated.flatten().tolist()}


def boids_result(case, dtype=torch.float64):
    losses, end = boids(tensor(case["start"], case.get("dim", 2), dtype), case["lr"], case["steps"])
    return {"loss": losses, "end": end.flatten().tolist()}


def random_inputs(generator, shape):
    """Points and centroids near each other's scale, with labels of which none is certain to occur."""
    n_points, n_classes, dim = shape

    def normal(rows):
        return torch.randn(rows, dim, generator=generator, dtype=torch.float64)

    return {"classes": n_classes, "dim": dim,
            "labels": torch.randint(n_classes, (n_points,), generator=generator).tolist(),
            "points": rounded(normal(n_points)), "centroids": rounded(normal(n_classes))}


def solved(case, result):
    """The case with its results, if they hardly depend on the precision they are computed in."""
    exact, single = result(case), result(case, torch.float32)
    for key, value in exact.items():
        if not difference(value, single[key]) <= FLOAT32_TOLERANCE:
            raise ValueError(f"{key} of {case} is lost to rounding in float32; use another seed")
    return case | exact


def make(seed):
    """The whole of losses.json."""
    generator = torch.Generator().manual_seed(seed)
    cases = []
    for name in LOSSES:
        for shape in LOSS_SHAPES:
            cases.append(solved({"loss": name} | random_inputs(generator, shape), loss_result))
    updates = []
    for shape, repulsion, lethargy, form in UPDATES:
        case = {"repulsion": repulsion, "lethargy": lethargy, "form": form} | random_inputs(generator, shape)
        updates.append(solved(case, update_result))
    flocks = {}
    for name, count, dim in BOIDS:
        start = BOIDS_EXTENT * torch.rand(count, dim, generator=generator, dtype=torch.float64)
        case = {"dim": dim, "start": rounded(start), "lr": BOIDS_LR, "steps": BOIDS_STEPS}
        flocks[name] = solved(case, boids_result)
    return {"note": NOTE, "cases": cases, "calculated_centroid": updates} | flocks


def recompute(document):
    """Pairs (name, expected, recomputed) of everything in a losses.json, from its inputs alone."""
    work = [(f"{c['loss']} K={c['classes']} D={c['dim']}", c, loss_result) for c in document["cases"]]
    work += [(f"update {c['repulsion']} {c['lethargy']}", c, update_result)
             for c in document["calculated_centroid"]]
    work += [(name, document[name], boids_result) for name, _, _ in BOIDS if name in document]
    for name, case, result in work:
        for key, value in result(case).items():
            yield f"{name} {key}", case[key], value
