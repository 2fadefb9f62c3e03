"""Flip 10,000 bits in the files of a sweep: none is read as another value, none is a traceback."""

from experiments.sweep.runner import manifest_of
from experiments.sweep.storage import write_manifest, write_part
from experiments.sweep.workers.process import do_runs
from tests.support.sweep_damage import flip_bits
from tests.support.sweep_runs import toy


def test_results_after_each_of_10_000_flipped_bits_are_the_same_values_or_refused(tmp_path):
    design, folder = toy(tmp_path, 2, engine="fluid"), tmp_path / "swept"
    folder.mkdir()
    write_manifest(folder, manifest_of(design))
    write_part(folder, do_runs(design, [0, 1, 2, 3]))
    noticed, same = flip_bits(folder, 10_000, seed=2)
    assert noticed > 20 * same
