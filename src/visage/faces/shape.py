"""The morphable model: S = μ + A_id·α + A_exp·β, a head with known identity and expression.

Identity has 80 principal modes of people sampled from MakeHuman's sculptures; expression has 52
facial actions by name. Everything is read from one file, `assets/face_world.npz`, which is built
from CC0 assets (see `assets/PROVENANCE.md`).

The head's frame is right-handed, in millimetres: x to the image's right (the person's left), y up,
z out of the face; x = 0 is the midline, y = 0 the height of the eyes' centres, z = 0 the depth of
the ear canals. Triangles are counter-clockwise from outside. Texture coordinates have their origin
at the top left, u to the right and v down (as glTF has them), so that 2 uv - 1 are the coordinates
that `torch.nn.functional.grid_sample` takes with `align_corners=False`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from visage.faces import compiled_surface
from visage.faces.asset import ASSET, FaceShapeError, level, read_asset
from visage.faces.derivatives import is_constant
from visage.faces.labels import WHOLE_LABELS, draw_labels
from visage.faces.visibility import check_mesh

__all__ = ["FaceShapeError", "MorphableModel", "vertex_normals"]

HAIR = "hair"
FARTHEST = 3.5  # standard deviations of a mode
MOST_TRIES = 50


class MorphableModel(nn.Module):
    """A linear model of heads, and where things are on them.

    V is 5,842 vertices (10,536 triangles with eyes, teeth, tongue and lashes), or 22,587 (42,144)
    after one subdivision. Use `load`.

    Attributes:
        mean: (V, 3) mm. Symmetric about x = 0.
        triangles: (F, 3) int64, all parts but the hair, part after part.
        hair_triangles: (H, 3) int64, loose strips of long hair that follow the head: guides for a
            hair style, not a surface to draw.
        uv: (U, 2) in [0, 1]; seams make U larger than V.
        uv_triangles: (F, 3) int64 into `uv`, corner by corner those of `triangles`.
        identity_basis: (80, V, 3), each mode of norm 1 over the coarse vertices, and either
            symmetric or antisymmetric about x = 0.
        identity_std: (80,) mm, the modes' standard deviations.
        expression_basis: (52, V, 3) mm at full strength.
        expression_names: of the 52 facial actions, as ARKit calls them. Left is the person's.
        landmarks: (68,) vertices of the landmarks on a face seen from the front.
        pupils: (2, 8) vertices of the ring round the pupil of the person's left and right eye;
            its mean is the pupil's centre.
        irises: (2, 8) the same for the iris.
        mirror: (V,) each vertex's mirror image.
        occlusion: (V,) in [0, 1], share of the surroundings that a vertex of the mean head sees,
            see `visage.faces.occlusion`.
        parts: vertices of skin, neck, sockets, mouth (its cavity), eyes, teeth, tongue, lashes and
            hair; parts that share an edge share its vertices.
        part_triangles: where each part's triangles are in `triangles`.
        directions: (80,) by name, the change of identity when a label of the sampled people (sex,
            age, nose_width, ...) grows by one standard deviation.
    """

    def __init__(self, asset: Mapping[str, np.ndarray], subdivision: int = 0):
        super().__init__()
        mesh = level(asset, subdivision)
        self.subdivision = subdivision
        self.expression_names = tuple(asset["expression_names"].tolist())
        self.region_names = tuple(asset["region_names"].tolist())
        self.mask_names = tuple(asset["mask_names"].tolist())
        self.direction_names = tuple(asset["direction_names"].tolist())
        self.part_names = tuple(asset["part_names"].tolist())

        std = np.linalg.norm(asset["identity"].astype(np.float32), axis=(1, 2))
        self._keep("mean", mesh.mean)
        self._keep("identity_basis", mesh.identity / std[:, None, None])
        self._keep("identity_std", std)
        self._keep("expression_basis", mesh.expression)
        self._keep("_regions", mesh.regions)
        self._keep("occlusion", mesh.occlusion)
        self._keep("mirror", mesh.mirror)

        drawn = mesh.quad_parts != self.part_names.index(HAIR)
        self._keep("triangles", _split(mesh.quads[drawn]))
        self._keep("hair_triangles", _split(mesh.quads[~drawn]))
        self._keep("uv", mesh.uv)
        self._keep("uv_triangles", _split(mesh.uv_quads[drawn]))
        self.part_triangles = _slices(mesh.quad_parts[drawn], self.part_names)
        for index, name in enumerate(self.part_names):
            self._keep(f"_part_{name}", np.unique(mesh.quads[mesh.quad_parts == index]))

        for name in ("landmarks", "pupils", "irises"):
            self._keep(name, asset[name].astype(np.int64))
        self._keep("_contour", asset["contour"].astype(np.int64))
        self._keep("_contour_yaws", asset["contour_yaws"])
        self._keep("_masks", asset["masks"])
        self._keep("_directions", asset["directions"])
        for name in ("whole_mean", "whole_std", "residual", "readings"):
            self._keep(f"_{name}", asset[name].astype(np.float32))
        self._keep("_reading_limits", asset["reading_limits"])

    @classmethod
    def load(cls, subdivision: int = 0, path: Path = ASSET) -> "MorphableModel":
        """Read the model from its asset.

        Args:
            subdivision: 0 for the mesh as it was sculpted, 1 for one Catmull-Clark step.
            path: of the asset.

        Raises:
            FaceShapeError: there is no such level, or the file is missing or damaged.

        >>> model = MorphableModel.load()
        >>> model.vertices(torch.zeros(2, 80)).shape
        torch.Size([2, 5842, 3])
        """
        return cls(read_asset(path), subdivision)

    def _keep(self, name: str, array: np.ndarray) -> None:
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        # Not persistent: a network that holds the model need not save it with its own weights.
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        self.register_buffer(name, tensor, persistent=False)

    @property
    def parts(self) -> dict[str, Tensor]:
        """Vertices (n,) of each part."""
        return {name: getattr(self, f"_part_{name}") for name in self.part_names}

    @property
    def regions(self) -> dict[str, Tensor]:
        """Masks (V,) in [0, 1] by name: lips, lids, brows, ears, scalp, beard, torso, ..."""
        return dict(zip(self.region_names, self._regions, strict=True))

    @property
    def masks(self) -> dict[str, Tensor]:
        """Masks (1024, 1024) in [0, 1] in the texture: lips, eyelids, ears, face."""
        return dict(zip(self.mask_names, self._masks.to(self.mean.dtype) / 255, strict=True))

    @property
    def directions(self) -> dict[str, Tensor]:
        """Changes of identity (80,) by name, for one standard deviation of the label."""
        return dict(zip(self.direction_names, self._directions, strict=True))

    def vertices(self, identity: Tensor, expression: Tensor | None = None) -> Tensor:
        """S = μ + Σ αₖ σₖ A_id,k + Σ βₖ A_exp,k.

        Args:
            identity: (B, K) α in standard deviations; K at most 80, the leading modes.
            expression: (B, 52) β, 0 at rest, 1 at full strength. None is at rest.

        Returns:
            (B, V, 3) mm, differentiable. B is the larger where one of the two has 1.

        Raises:
            FaceShapeError: the widths or the batches do not fit.
        """
        modes = len(self.identity_basis)
        if identity.ndim != 2 or identity.shape[1] > modes:
            raise FaceShapeError(
                f"identity is {tuple(identity.shape)}; expected (B, K) with K at most {modes}"
            )
        used = identity.shape[1]
        scaled = identity * self.identity_std[:used]
        moved = scaled @ self.identity_basis[:used].flatten(1)
        if expression is not None:
            actions = len(self.expression_names)
            if expression.ndim != 2 or expression.shape[1] != actions:
                raise FaceShapeError(
                    f"expression is {tuple(expression.shape)}; expected (B, {actions})"
                )
            if len(expression) != len(identity) and 1 not in (len(expression), len(identity)):
                raise FaceShapeError(
                    f"{len(identity)} identities and {len(expression)} expressions; give as many"
                )
            moved = moved + expression @ self.expression_basis.flatten(1)
        return self.mean + moved.unflatten(1, (-1, 3))

    def expression_weights(self, weights: Mapping[str, float]) -> Tensor:
        """Coefficients (1, 52) from named facial actions.

        Raises:
            FaceShapeError: a name is not among `expression_names`.

        >>> MorphableModel.load().expression_weights({"jawOpen": 0.5}).sum()
        tensor(0.5000)
        """
        found = self.mean.new_zeros(1, len(self.expression_names))
        for name, weight in weights.items():
            if name not in self.expression_names:
                raise FaceShapeError(
                    f"there is no facial action {name!r}; choose among "
                    f"{', '.join(self.expression_names)}"
                )
            found[0, self.expression_names.index(name)] = weight
        return found

    def sample_identity(
        self,
        count: int,
        generator: torch.Generator,
        *,
        given: Mapping[str, float] | None = None,
        spread: float = 1.0,
    ) -> Tensor:
        """Draw people who could exist.

        Labels of the whole person (`visage.faces.labels`) are drawn first, the rest is normal
        with the covariance that these leave; what is not `plausible` is drawn again.

        Args:
            count: how many.
            generator: on the CPU, so that a seed gives the same people on every device.
            given: labels that are set instead of drawn, such as {"sex": 1.0, "age": 60.0}.
            spread: in (0, 1]; below 1, everything moves towards the average head.

        Returns:
            (count, 80) in standard deviations. `read` gives their labels, all of them.

        Raises:
            FaceShapeError: spread is out of range, or a label is not one of the whole person's, or
                is so unusual that no plausible person has it.
        """
        given = dict(given or {})
        if not 0 < spread <= 1:
            raise FaceShapeError(f"spread is {spread}; give a number above 0, at most 1")
        if unknown := set(given) - set(WHOLE_LABELS):
            raise FaceShapeError(f"no label {unknown}; choose among {', '.join(WHOLE_LABELS)}")
        seed = torch.randint(2**62, (1,), generator=generator).item()
        random = np.random.default_rng(seed)
        kept, tries = self.mean.new_empty(0, len(self.identity_basis)), 0
        while len(kept) < count:
            if tries == MOST_TRIES:
                raise FaceShapeError(f"no plausible person has {given}; give usual values")
            labels = draw_labels(max(16, 2 * count), random)
            for name, value in given.items():
                labels[:, WHOLE_LABELS.index(name)] = value
            noise = random.standard_normal((len(labels), len(self.identity_basis)))
            whole = (torch.from_numpy(labels).to(self.mean) - self._whole_mean) / self._whole_std
            drawn = whole @ self._directions[: len(WHOLE_LABELS)]
            drawn = spread * (drawn + torch.from_numpy(noise).to(drawn) @ self._residual.T)
            kept = torch.cat([kept, drawn[self.plausible(drawn)]])
            tries += 1
        return kept[:count]

    def plausible(self, identity: Tensor) -> Tensor:
        """Which of the identities (B, 80) could be one of the people the model was made from.

        A linear model goes on for ever in every direction. Here every label that `read` gives
        (sex, age, breadth of the jaw, ...) must lie where those people's labels lie, and no
        coefficient beyond 3.5 standard deviations.

        Returns:
            (B,) bool.
        """
        values = self._read(identity)
        low, high = self._reading_limits.unbind(1)
        within = ((values >= low) & (values <= high)).all(1)
        return within & (identity.abs() <= FARTHEST).all(1)

    def read(self, identity: Tensor) -> dict[str, Tensor]:
        """Read labels off identities (B, 80) with the linear regressions of the sampled people.

        Returns:
            (B,) by name: sex (0 female to 1 male), age (years), weight and muscle (0 to 1),
            measures in mm, ...; not clipped, so a caricature of youth may be younger than 18.
        """
        return dict(zip(self.direction_names, self._read(identity).unbind(1), strict=True))

    def _read(self, identity: Tensor) -> Tensor:
        return identity @ self._readings[:, :-1].T + self._readings[:, -1]

    def contour_landmarks(self, yaw: Tensor) -> Tensor:
        """Vertices of landmarks 0 to 16, which slide along the jaw as the head turns.

        Args:
            yaw: (B,) radians, positive when the face looks to the picture's right. The nearest of
                the angles at which the vertices were found is used (-30 to 30 degrees).

        Returns:
            (B, 17) int64.
        """
        nearest = (yaw[:, None] - self._contour_yaws).abs().argmin(1)
        return self._contour[nearest]

    def landmark_vertices(self, yaw: Tensor) -> Tensor:
        """(B, 68) vertices of all landmarks at yaw (B,), radians; see `contour_landmarks`."""
        inner = self.landmarks[17:].expand(len(yaw), -1)
        return torch.cat([self.contour_landmarks(yaw), inner], 1)

    def normals(self, vertices: Tensor) -> Tensor:
        """Unit normals (B, V, 3) of vertices (B, V, 3), weighted by area; differentiable.

        Vertices of no triangle (the hair's) have zero.
        """
        return vertex_normals(vertices, self.triangles)


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals: sums of the cross products of the adjacent triangles' edges.

    Args:
        vertices: (B, V, 3).
        triangles: (F, 3), counter-clockwise from outside.

    Returns:
        (B, V, 3); zero where a vertex has no triangle with area. Differentiable.

    Raises:
        RasterError: a shape, a type or an index does not fit.

    >>> flat = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> vertex_normals(flat, torch.tensor([[0, 1, 2]]))[0, 0]
    tensor([0., 0., 1.])
    """
    check_mesh(vertices, triangles)
    if is_constant(vertices):
        normals = torch.zeros(vertices.shape)
        arrays = vertices.detach(), triangles.to(torch.int64)
        compiled_surface.sum_normals(*(a.contiguous().numpy() for a in arrays), normals.numpy())
        return normals
    # Vertex by vertex a batch is one piece of memory, which makes gathering three times as fast.
    points = vertices.transpose(0, 1).contiguous()  # (V, B, 3)
    a, b, c = (points.index_select(0, corner) for corner in triangles.unbind(1))
    across = torch.linalg.cross(b - a, c - a)  # (F, B, 3)
    total = torch.zeros_like(points)
    for corner in triangles.unbind(1):
        total = total.index_add(0, corner, across)
    return nn.functional.normalize(total, dim=-1, eps=1e-12).transpose(0, 1).contiguous()


def _split(quads: np.ndarray) -> np.ndarray:
    """Two triangles a quad: (Q, 4) to (2 Q, 3)."""
    return quads[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)


def _slices(quad_parts: np.ndarray, names: tuple[str, ...]) -> dict[str, slice]:
    edges = (2 * np.searchsorted(quad_parts, np.arange(len(names) + 1))).tolist()
    return {name: slice(edges[i], edges[i + 1]) for i, name in enumerate(names) if name != HAIR}
