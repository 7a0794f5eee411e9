"""What single papers compute beyond a law, one file a paper: `sj.papers`."""

from __future__ import annotations

from ..core.lazy import namespace

_HOMES = {
    "fit_interaction": "papers.fields.aghajanyan2023",
    "bits": "papers.theory.an2024",
    "landauer_energy": "papers.theory.an2024",
    "nats": "papers.theory.an2024",
    "stored_information": "papers.theory.an2024",
    "AdaptiveSchedule": "papers.curves.anagnostidis2023",
    "adaptive_schedule": "papers.curves.anagnostidis2023",
    "Discontinuity": "papers.downstream.chowdhery2022",
    "discontinuity": "papers.downstream.chowdhery2022",
    "TailConstants": "papers.theory.dohmatob2024",
    "collapsed_ridge": "papers.theory.dohmatob2024",
    "tail_constants": "papers.theory.dohmatob2024",
    "tail_error": "papers.theory.dohmatob2024",
    "compound_scaling": "papers.architecture.dollar2021",
    "fast_scaling": "papers.architecture.dollar2021",
    "Pools": "papers.mixtures.goyal2024",
    "best_pools": "papers.mixtures.goyal2024",
    "cheapest_images": "papers.mixtures.goyal2024",
    "StudyCost": "papers.curves.hagele2024",
    "study_cost": "papers.curves.hagele2024",
    "simulate_residual": "papers.architecture.hayou2023",
    "spiked_eigenvalue": "papers.architecture.hayou2023",
    "PerformanceProjection": "papers.mixtures.kang2023",
    "fit_projection": "papers.mixtures.kang2023",
    "nearest_mixture": "papers.mixtures.kang2023",
    "project_performance": "papers.mixtures.kang2023",
    "transport_distance": "papers.mixtures.kang2023",
    "intrinsic_dimension": "papers.theory.konz2024",
    "label_sharpness": "papers.theory.konz2024",
    "MergingFront": "papers.mixtures.li2024",
    "QuadraticSurface": "papers.mixtures.li2024",
    "merging_front": "papers.mixtures.li2024",
    "quadratic_surface": "papers.mixtures.li2024",
    "farseer_stages": "papers.scale.li2025",
    "OptimalUpdates": "papers.fields.rybkin2025",
    "first_passage": "papers.fields.rybkin2025",
    "normalised_data": "papers.fields.rybkin2025",
    "optimal_updates": "papers.fields.rybkin2025",
    "kernel_schedule": "papers.curves.schaipp2025",
    "tuned_bound": "papers.curves.schaipp2025",
    "collapse_power": "papers.theory.sclocchi2023",
    "crossover_power": "papers.theory.sclocchi2023",
    "optimal_temperature_power": "papers.theory.sclocchi2023",
    "perceptron_power": "papers.theory.sclocchi2023",
    "TrainingDependency": "papers.curves.su2024",
    "fit_training_dependency": "papers.curves.su2024",
    "loss_contours": "papers.curves.su2024",
    "ema_weights": "papers.curves.wang2024",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = namespace(__name__, _HOMES)
