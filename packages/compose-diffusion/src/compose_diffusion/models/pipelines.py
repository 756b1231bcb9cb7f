"""Small pipelines of diffusers for one attribute of the digits: network, scheduler, and their folder."""

from dataclasses import dataclass
from pathlib import Path

from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

from compose_diffusion.config.reuse import AttributeConfig, UNetConfig
from compose_diffusion.data.digits import IMAGE_SIZE


@dataclass(frozen=True, eq=False)
class TrainedPipeline:
    """A network and its scheduler; saved in the format of diffusers, safetensors and JSON."""

    network: UNet2DModel
    scheduler: DDPMScheduler

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the folder that `DDPMPipeline.from_pretrained` and `from_diffusers` read."""
        DDPMPipeline(unet=self.network, scheduler=self.scheduler).save_pretrained(folder, safe_serialization=True)
        for weights in Path(folder).rglob("*.safetensors"):
            weights.chmod(0o644)  # safetensors writes files without read permission for others
        return Path(folder)


def make_network(config: UNetConfig) -> UNet2DModel:
    """The network of a configuration, for 8 x 8 grey images."""
    return UNet2DModel(
        sample_size=IMAGE_SIZE,
        in_channels=1,
        out_channels=1,
        layers_per_block=config.layers_per_block,
        block_out_channels=config.widths,
        down_block_types=("DownBlock2D",) * len(config.widths),
        up_block_types=("UpBlock2D",) * len(config.widths),
        norm_num_groups=config.group_count,
        add_attention=False,
        dropout=config.dropout,
    )


def make_scheduler(config: AttributeConfig) -> DDPMScheduler:
    """The scheduler of a configuration: noise levels and prediction type."""
    return DDPMScheduler(
        num_train_timesteps=config.num_train_timesteps,
        beta_schedule=config.beta_schedule,
        prediction_type=config.prediction_type,
    )
