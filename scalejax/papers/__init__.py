"""What single papers compute beyond a law, one file a paper: `sj.papers`."""

from __future__ import annotations

from ..core.lazy import namespace

_HOMES = {
    "fit_interaction": "papers.aghajanyan2023",
    "bits": "papers.an2024",
    "landauer_energy": "papers.an2024",
    "nats": "papers.an2024",
    "stored_information": "papers.an2024",
    "AdaptiveSchedule": "papers.anagnostidis2023",
    "adaptive_schedule": "papers.anagnostidis2023",
    "Discontinuity": "papers.chowdhery2022",
    "discontinuity": "papers.chowdhery2022",
    "TailConstants": "papers.dohmatob2024",
    "collapsed_ridge": "papers.dohmatob2024",
    "tail_constants": "papers.dohmatob2024",
    "tail_error": "papers.dohmatob2024",
    "compound_scaling": "papers.dollar2021",
    "fast_scaling": "papers.dollar2021",
    "Pools": "papers.goyal2024",
    "best_pools": "papers.goyal2024",
    "cheapest_images": "papers.goyal2024",
    "StudyCost": "papers.hagele2024",
    "study_cost": "papers.hagele2024",
    "simulate_residual": "papers.hayou2023",
    "spiked_eigenvalue": "papers.hayou2023",
    "PerformanceProjection": "papers.kang2023",
    "fit_projection": "papers.kang2023",
    "nearest_mixture": "papers.kang2023",
    "project_performance": "papers.kang2023",
    "transport_distance": "papers.kang2023",
    "intrinsic_dimension": "papers.konz2024",
    "label_sharpness": "papers.konz2024",
    "MergingFront": "papers.li2024",
    "QuadraticSurface": "papers.li2024",
    "merging_front": "papers.li2024",
    "quadratic_surface": "papers.li2024",
    "farseer_stages": "papers.li2025",
    "OptimalUpdates": "papers.rybkin2025",
    "first_passage": "papers.rybkin2025",
    "normalised_data": "papers.rybkin2025",
    "optimal_updates": "papers.rybkin2025",
    "kernel_schedule": "papers.schaipp2025",
    "tuned_bound": "papers.schaipp2025",
    "collapse_power": "papers.sclocchi2023",
    "crossover_power": "papers.sclocchi2023",
    "optimal_temperature_power": "papers.sclocchi2023",
    "perceptron_power": "papers.sclocchi2023",
    "TrainingDependency": "papers.su2024",
    "fit_training_dependency": "papers.su2024",
    "loss_contours": "papers.su2024",
    "ema_weights": "papers.wang2024",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = namespace(__name__, _HOMES)
