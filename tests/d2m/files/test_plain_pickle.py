"""Pickles with objects of other libraries give their contents and run nothing."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.files.plain_pickle import PlainObject, load_pickle


def sparse() -> object:
    from scipy.sparse import csc_matrix

    return csc_matrix(np.array([[0.0, 2.0], [3.0, 0.0]]))


@pytest.mark.parametrize("protocol", range(6))
def test_an_object_of_a_named_library_gives_its_contents(tmp_path, protocol: int) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"m": sparse(), "a": np.arange(3.0)}, protocol=protocol))
    read = load_pickle(tmp_path / "a.pkl", libraries=("scipy",))
    assert isinstance(read["m"], PlainObject)
    assert np.array_equal(read["m"].contents["data"], [3.0, 2.0])
    assert np.array_equal(read["a"], np.arange(3.0))
    with pytest.raises(D2MError, match="scipy|opcode|copy_?reg"):
        load_pickle(tmp_path / "a.pkl")


ATTACKS = {
    "another library": b"\x80\x02csubprocess\nPopen\n)\x81.",
    "an array without end": b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7f\x85\x81.",
    "an array without end, called": b"cnumpy\nndarray\n((I2147483647\ntt.",
    "a class made an object": b"\x80\x02ccopy_reg\n_reconstructor\n(cnumpy\ndtype\nc__builtin__\nobject\nNtR.",
    "a reader altered": b"\x80\x02c_codecs\nencode\nN}X\x0c\x00\x00\x00__defaults__)s\x86b.",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_stand_ins_open_no_door(tmp_path, attack: str) -> None:
    (tmp_path / "a.pkl").write_bytes(ATTACKS[attack])
    with pytest.raises(D2MError) as caught:
        load_pickle(tmp_path / "a.pkl", libraries=("scipy", "chumpy"))
    assert "\n" not in str(caught.value)
