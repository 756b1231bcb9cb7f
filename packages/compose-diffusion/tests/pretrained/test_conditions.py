import copy

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.pretrained.conditions import (
    Condition,
    class_condition,
    encode_prompt,
    given_condition,
)
from compose_diffusion.pretrained.networks import network_kind


def test_conditions_that_say_the_same_are_equal(class_pipeline):
    kind = network_kind(class_pipeline.transformer)
    assert class_condition(3, kind) == class_condition(torch.tensor([3]), kind) != class_condition(4, kind)
    assert len({class_condition(torch.tensor([3, 4]), kind), class_condition(torch.tensor([3, 4]), kind)}) == 1
    assert class_condition(10, kind).tensors["class_labels"].tolist() == [10]  # the null class
    with pytest.raises(UsageError, match="class 11 does not exist, expected a number from 0 to 9"):
        class_condition(11, kind)
    tensor = torch.zeros(1, 2)
    assert given_condition({"a": tensor}) == given_condition({"a": tensor}) != given_condition({"a": tensor.clone()})


def test_expanding_keeps_integers_and_takes_the_networks_dtype():
    condition = Condition("c", {"labels": torch.tensor([3]), "text": torch.ones(2, 5)})
    rows = condition.expanded(2, torch.device("cpu"), torch.bfloat16)
    assert rows["labels"].tolist() == [3, 3]
    assert (rows["text"].dtype, rows["text"].shape) == (torch.bfloat16, (2, 5))
    with pytest.raises(UsageError, match="condition 'text' has batch size 2 for 3 samples, expected 1 or 3"):
        condition.expanded(3, torch.device("cpu"), torch.float32)


def test_prompts_are_encoded_with_their_negatives(text_pipeline):
    kind = network_kind(text_pipeline.unet)
    condition, negative = encode_prompt(text_pipeline, text_pipeline.unet, kind, ["red", "blue"], "")
    red, nothing = encode_prompt(text_pipeline, text_pipeline.unet, kind, "red", None)
    plain, _ = encode_prompt(text_pipeline, text_pipeline.unet, kind, "", None)
    assert nothing is None
    torch.testing.assert_close(
        condition.tensors["encoder_hidden_states"][:1], red.tensors["encoder_hidden_states"], rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        negative.tensors["encoder_hidden_states"][:1], plain.tensors["encoder_hidden_states"], rtol=1e-5, atol=1e-6
    )
    assert red == encode_prompt(text_pipeline, text_pipeline.unet, kind, "red", "blue")[0]


def test_prompts_of_flow_transformers_bring_pooled_text(flow_pipeline):
    network = flow_pipeline.transformer
    condition, negative = encode_prompt(flow_pipeline, network, network_kind(network), "red", "blue")
    positive, against, pooled, pooled_against = flow_pipeline.encode_prompt(
        "red", None, None, negative_prompt="blue", negative_prompt_2="blue"
    )
    for side, text, pool in ((condition, positive, pooled), (negative, against, pooled_against)):
        assert torch.equal(side.tensors["encoder_hidden_states"], text)
        assert torch.equal(side.tensors["pooled_projections"], pool)


def test_pipelines_without_a_text_encoder(text_pipeline, flow_pipeline, class_pipeline):
    without = copy.copy(text_pipeline)
    without.text_encoder = None
    network = text_pipeline.unet
    with pytest.raises(UsageError, match="StableDiffusionPipeline has no text_encoder for the prompt 'red'"):
        encode_prompt(without, network, network_kind(network), "red", None)
    without = copy.copy(flow_pipeline)
    without.tokenizer_2 = without.text_encoder_2 = None
    network = flow_pipeline.transformer
    with pytest.raises(UsageError, match="has no text_encoder_2 and no tokenizer_2 for the prompt"):
        encode_prompt(without, network, network_kind(network), "red", None)
    network = class_pipeline.transformer
    with pytest.raises(UsageError, match="prompt is 'red', but DiTTransformer2DModel takes no text"):
        encode_prompt(class_pipeline, network, network_kind(network), "red", None)


@pytest.mark.parametrize(
    ("prompt", "negative", "expected"),
    [
        ([], None, "prompt is an empty list"),
        ("a cat", ["blue", "red"], "prompt has one text and negative_prompt 2"),
        (["a cat", "a dog"], ["blue", "red", "green"], "prompt has 2 texts and negative_prompt 3"),
    ],
)
def test_numbers_of_texts_agree(text_pipeline, prompt, negative, expected):
    with pytest.raises(UsageError, match=expected):
        encode_prompt(text_pipeline, text_pipeline.unet, network_kind(text_pipeline.unet), prompt, negative)
