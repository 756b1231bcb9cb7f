"""Guided-diffusion's U-Net, as a noise predictor or an energy, and its classifier; see `guided_blocks` for the names.

Axes: B batch, C channels, H and W height and width.
"""

import torch
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from torch import Tensor, nn

from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.models.blocks import zeroed
from compose_diffusion.models.guided_blocks import (
    AttentionBlock,
    AttentionPool,
    Backbone,
    GroupNorm,
    ResidualBlock,
    Stage,
    Upsample,
    check_image,
    token_mask,
)

# Both coordinates of the null position.
NULL_POSITION = -1.0


class _UNet(Backbone[UNetConfig]):
    """The U-Net up to its output, which the subclasses interpret.

    Args:
        config: the architecture and the noise levels; kept as `config`.
    """

    config_type = UNetConfig

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        embed_dim = 4 * config.width
        if config.condition == "class":
            self.label_emb: nn.Module = nn.Embedding(config.num_classes, embed_dim)
        elif config.condition == "position":
            self.label_emb = nn.Linear(2, embed_dim)
        elif config.condition == "text":
            self.transformer_proj = nn.Linear(config.text_dim, embed_dim)
        if config.null_condition:
            self.null_emb = nn.Embedding(1, embed_dim)
        self.output_blocks = nn.ModuleList()
        passed = list(self.passed_channels)
        below = config.channels[-1]
        for level, channels in reversed(list(enumerate(config.channels))):
            for index in range(config.num_blocks + 1):
                layers: list[nn.Module] = [ResidualBlock(config, below + passed.pop(), channels)]
                below = channels
                if config.attends(2**level):
                    layers.append(AttentionBlock(config, channels))
                if level and index == config.num_blocks:
                    doubling = (
                        ResidualBlock(config, below, below, "double") if config.residual_resampling else Upsample(below)
                    )
                    layers.append(doubling)
                self.output_blocks.append(Stage(*layers))
        out_channels = config.image_channels * (2 if config.predicts_variance else 1)
        last = nn.Conv2d(below, out_channels, 3, padding=1)
        # With h = 0 the gradient of |h|^2 with respect to every weight is 0, so these layers are not initialised at 0.
        self.out = nn.Sequential(GroupNorm(below), nn.SiLU(), last if config.form in ("l2", "dot") else zeroed(last))

    def outputs(
        self, x: Float[Tensor, "batch channels height width"], t: Int[Tensor, " batch"], condition: Tensor | None = None
    ) -> Float[Tensor, "batch out_channels height width"]:
        """Output of the last layer, with image_channels channels, or twice as many with a variance."""
        check_image(x, self.config)
        embedding, text = self._embed(x, t, condition)
        passed: list[Tensor] = []
        h = x
        for stage in self.input_blocks:
            h = stage(h, embedding, text)
            passed.append(h)
        h = self.middle_block(h, embedding, text)
        for stage in self.output_blocks:
            h = stage(torch.cat([h, passed.pop()], dim=1), embedding, text)
        return self.out(h)

    def _embed(self, x: Tensor, t: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Embedding of time and condition, and the tokens to attend to."""
        config = self.config
        embedding = self.embed_time(x, t)
        if config.condition == "none":
            if condition is not None:
                raise UsageError(f"network takes no condition, got one of shape {tuple(condition.shape)}; leave it out")
            return embedding, None
        if condition is None:
            condition = null_condition(config, x)
        expected = {"class": 1, "position": 2, "text": 3}[config.condition]
        last = {"class": len(x), "position": 2, "text": config.text_dim}[config.condition]
        if condition.ndim != expected or len(condition) != len(x) or condition.shape[-1] != last:
            shape = {"class": "[batch]", "position": "[batch, 2]", "text": f"[batch, tokens, {config.text_dim}]"}
            raise UsageError(
                f"condition has shape {tuple(condition.shape)} for {len(x)} images, expected "
                f"{shape[config.condition]} for condition '{config.condition}'"
            )
        if config.condition == "text":
            text = condition.to(x.dtype)
            tokens = token_mask(text).sum(dim=1, keepdim=True).clamp(min=1)
            return embedding + self.transformer_proj(text.sum(dim=1) / tokens), text
        if config.condition == "class":
            given = self.label_emb(condition.clamp(max=config.num_classes - 1))
            withheld = condition == config.num_classes
        else:
            given = self.label_emb(condition.to(x.dtype))
            withheld = (condition == NULL_POSITION).all(dim=1)
        if config.null_condition:
            given = torch.where(withheld[:, None], self.null_emb.weight, given)
        return embedding + given, None


def null_condition(config: UNetConfig, x: Float[Tensor, "batch channels height width"]) -> Tensor:
    """The null condition, one for each image.

    Raises:
        UsageError: the network was trained without a null condition.
    """
    if config.condition == "text":
        return x.new_zeros(len(x), 1, config.text_dim)
    if not config.null_condition:
        raise UsageError(
            f"network was trained with condition '{config.condition}' only and has no unconditional branch; give one"
        )
    if config.condition == "position":
        return x.new_full((len(x), 2), NULL_POSITION)
    return torch.full((len(x),), config.num_classes, dtype=torch.long, device=x.device)


class GuidedUNet(_UNet):
    r"""$\hat\epsilon_\theta(x_t, t, y)$: predicted noise, for `PredictionLeaf`.

    Raises:
        UsageError: a configuration of an energy.
    """

    def __init__(self, config: UNetConfig) -> None:
        if config.form != "noise":
            raise UsageError(f"form is '{config.form}', expected 'noise'; GuidedEnergy builds energies")
        super().__init__(config)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], t: Int[Tensor, " batch"], condition: Tensor | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Predicted noise, of x's shape; `outputs` has the variance too.

        Args:
            x: noised images; height and width may differ from the trained ones.
            t: trained time steps.
            condition: [batch] classes, [batch, 2] positions or [batch, tokens, text_dim]; without one, the null
                condition.

        Raises:
            UsageError: images or conditions of the wrong shape, or no condition where one is needed.
        """
        return self.outputs(x, t, condition)[:, : self.config.image_channels]

    def noise(
        self, x: Float[Tensor, "batch channels height width"], t: Int[Tensor, " batch"], condition: Tensor | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """The same as `forward`; the prediction of the training loss, for networks and energies."""
        return self(x, t, condition)


class GuidedEnergy(_UNet):
    r"""$f_\theta(x_t, t, y)$ with $\hat\epsilon = \nabla_x f$, for `EnergyLeaf` with a schedule (paper, section 4.2).

    For the output h and `config.form`: dae $\frac12 |h - x|^2$, l2 $\frac12 |h|^2$, dot $x \cdot h$.

    Raises:
        UsageError: a configuration of a noise predictor.
    """

    def __init__(self, config: UNetConfig) -> None:
        if config.form == "noise":
            raise UsageError("form is 'noise', expected 'dae', 'l2' or 'dot'; GuidedUNet builds noise predictors")
        super().__init__(config)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], t: Int[Tensor, " batch"], condition: Tensor | None = None
    ) -> Float[Tensor, " batch"]:
        """The energy of each image, summed in float32 or higher; arguments as of `GuidedUNet.forward`."""
        h = self.outputs(x, t, condition)
        x, h = (value.to(torch.promote_types(value.dtype, torch.float32)) for value in (x, h))
        if self.config.form == "dot":
            return (x * h).flatten(1).sum(dim=1)
        return 0.5 * (h - x if self.config.form == "dae" else h).square().flatten(1).sum(dim=1)

    def noise(
        self, x: Float[Tensor, "batch channels height width"], t: Int[Tensor, " batch"], condition: Tensor | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Gradient of the energy with respect to x; differentiable itself if gradients are enabled."""
        differentiable = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self(x, t, condition).sum(), x, create_graph=differentiable)
        return gradient


class GuidedClassifier(Backbone[EncoderConfig]):
    r"""Logits of $p(y | x_t)$ at noise level t, for `ClassifierLeaf`.

    Args:
        config: the architecture and the noise levels; kept as `config`.
    """

    config_type = EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        channels = config.channels[-1]
        if config.pool == "attention":
            size = config.image_size // 2 ** (len(config.channels) - 1)
            pool: list[nn.Module] = [AttentionPool(size, channels, config.head_width, config.num_classes)]
        else:
            pool = [nn.AdaptiveAvgPool2d(1), zeroed(nn.Conv2d(channels, config.num_classes, 1)), nn.Flatten()]
        self.out = nn.Sequential(GroupNorm(channels), nn.SiLU(), *pool)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch classes"]:
        """[B, C, H, W], [B] -> [B, classes].

        Raises:
            UsageError: images with another number of channels or, with attention pooling, of another size than in
                training.
        """
        check_image(x, self.config)
        size = self.config.image_size
        if self.config.pool == "attention" and x.shape[2:] != (size, size):
            raise UsageError(
                f"images are {x.shape[2]} x {x.shape[3]}, expected {size} x {size}, which this classifier's attention "
                "pooling was trained on; resize them"
            )
        embedding = self.embed_time(x, t)
        h = x
        for stage in self.input_blocks:
            h = stage(h, embedding)
        return self.out(self.middle_block(h, embedding))


GuidedNetwork = GuidedUNet | GuidedEnergy | GuidedClassifier


def build_network(config: UNetConfig | EncoderConfig) -> GuidedNetwork:
    """A new network of a configuration."""
    if isinstance(config, EncoderConfig):
        return GuidedClassifier(config)
    return GuidedUNet(config) if config.form == "noise" else GuidedEnergy(config)
