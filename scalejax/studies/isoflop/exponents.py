"""Exponents of compute-optimal allocation that papers report, to set one's own beside."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...core.laws.law import Published

_COLLECTED = "as collected in the repository of arXiv:2603.22339"

# name: a, b, context, source, status
_ROWS: dict[str, tuple[float, float, str, str, str]] = {
    "hoffmann2022_approach1": (0.50, 0.50, "MassiveText, envelope of training curves", "arXiv:2203.15556, table 2", "printed"),
    "hoffmann2022_approach2": (0.49, 0.51, "MassiveText, isoFLOP parabolas, 6e18 to 3e21 FLOPs", "arXiv:2203.15556, table 2", "printed"),
    "hoffmann2022_approach3": (0.46, 0.54, "MassiveText, fit of the loss", "arXiv:2203.15556, table 2", "verified"),
    "kaplan2020": (0.73, 0.27, "WebText2, non-embedding parameters", "arXiv:2001.08361", "printed"),
    "llama3": (0.463, 0.537, "isoFLOP parabolas, 6e18 to 1e22 FLOPs; b is printed, a = 1 - b", "arXiv:2407.21783, figure 3", "verified"),
    "minicpm": (0.23 / 0.52, 0.29 / 0.52, "mean of five corpora, from alpha 0.29, beta 0.23", "arXiv:2404.06395, eq. 2", "printed"),
    "evo_transformerpp": (0.552, 0.551, "DNA, Transformer++, isoFLOP", f"Evo, figure S5, {_COLLECTED}", "printed"),
    "evo_mamba": (0.388, 0.487, "DNA, Mamba, isoFLOP", f"Evo, figure S5, {_COLLECTED}", "printed"),
    "evo_hyena": (0.504, 0.499, "DNA, Hyena, isoFLOP", f"Evo, figure S5, {_COLLECTED}", "printed"),
    "protein_clm": (0.578, 0.422, "proteins, causal, isoFLOP", f"bioRxiv 2024.06.06.597716, {_COLLECTED}", "printed"),
    "protein_mlm": (0.776, 0.230, "proteins, masked, isoFLOP", f"bioRxiv 2024.06.06.597716, {_COLLECTED}", "printed"),
    "ehr": (0.58, 0.44, "electronic health records, isoFLOP", "arXiv:2505.22964, figure 1", "printed"),
    "nethack": (0.61, 0.39, "behaviour cloning of NetHack, isoFLOP", "arXiv:2307.09423", "printed"),
    "xlstm_transformer": (0.575, 0.424, "DCLM, Llama architecture, isoFLOP", "arXiv:2510.02228", "printed"),
    "xlstm": (0.547, 0.417, "DCLM, xLSTM, isoFLOP", "arXiv:2510.02228", "printed"),
    "discrete_diffusion": (0.589, 0.411, "Nemotron-CC, discrete diffusion, isoFLOP", "arXiv:2512.10858, table 1", "printed"),
    "diffusion_transformer": (0.5681, 0.4319, "images and text, isoFLOP", "arXiv:2410.08184, eqs. 5 and 6", "printed"),
    "olmo_transformer": (0.213 / 0.465, 0.252 / 0.465, "Dolma 3, from alpha 0.252, beta 0.213", "OLMo Hybrid, figure 8", "printed"),
    "olmo_hybrid": (0.219 / 0.445, 0.226 / 0.445, "Dolma 3, from alpha 0.226, beta 0.219", "OLMo Hybrid, figure 8", "printed"),
    "olmo_gdn": (
        0.227 / 0.410,
        0.183 / 0.410,
        "Dolma 3, gated delta net, from alpha 0.183, beta 0.227",
        "OLMo Hybrid, figure 8",
        "printed",
    ),
    "world_model_token_256": (0.49, 0.51, "world model, 256 tokens an image", "arXiv:2411.04434", "recalled"),
    "world_model_token_540": (0.62, 0.37, "world model, 540 tokens an image", "arXiv:2411.04434", "recalled"),
    "behaviour_cloning_token_540": (0.32, 0.68, "behaviour cloning, 540 tokens an image", "arXiv:2411.04434", "recalled"),
    "behaviour_cloning_cnn": (0.66, 0.34, "behaviour cloning, convolutional encoder", "arXiv:2411.04434", "recalled"),
}

# Name to a mapping of "a" and "b", N* = k_N C^a and D* = k_D C^b, with context, source and status as of a law's published sets. Their
# sum is 1 where compute is 6 N D and both lines come from one fit; N and D counted in their own ways, or fitted apart, leave a rest.
allocation_exponents: Mapping[str, Published] = MappingProxyType(
    {name: Published({"a": a, "b": b}, context, source, status) for name, (a, b, context, source, status) in _ROWS.items()}
)
