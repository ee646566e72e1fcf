"""Which variant is recommended: the best that fits, and a reason with its numbers."""

from gateway.boards import words
from gateway.boards.recommend import Candidate, Machine, needed_bytes, recommend
from hypothesis import given
from hypothesis import strategies as st

GB = 1_000_000_000
QUANTS = [
    Candidate("m-Q2_K.gguf", 3 * GB, 2, "Q2_K"),
    Candidate("m-Q4_K_S.gguf", 4_500_000_000, 4, "Q4_K_S"),
    Candidate("m-Q4_K_M.gguf", 4_900_000_000, 4, "Q4_K_M"),
    Candidate("m-Q5_K_M.gguf", 5_700_000_000, 5, "Q5_K_M"),
    Candidate("m-Q8_0.gguf", 8_500_000_000, 8, "Q8_0"),
    Candidate("m-F16.gguf", 16 * GB, 16, "F16"),
    Candidate("m-F32.gguf", 32 * GB, 32, "F32"),
    Candidate("mmproj-m-f16.gguf", 600_000_000, 16, "F16"),
]
RTX = Machine(gpu_bytes=8_589_934_592, gpu_name="RTX 3070", ram_bytes=32 * GB)


def test_the_gpu_gets_the_most_bits_that_fit() -> None:
    found = recommend(QUANTS, RTX)
    assert found is not None
    assert (found.filename, found.fits_in) == ("m-Q5_K_M.gguf", "gpu")
    assert found.reason == "Q5_K_M (5.7 GB) fits into the 8.6 GB of the RTX 3070 with room for the context."


def test_beyond_sixteen_bits_nothing_is_gained_and_equal_bits_take_more_bytes() -> None:
    found = recommend(QUANTS, Machine(gpu_bytes=80 * GB))
    assert found is not None
    assert found.filename == "m-F16.gguf"
    four_bits = recommend(QUANTS[:3], Machine(gpu_bytes=80 * GB))
    assert four_bits is not None
    assert four_bits.filename == "m-Q4_K_M.gguf"


def test_what_fits_no_gpu_runs_in_ram_when_it_is_a_gguf() -> None:
    small = Machine(gpu_bytes=2 * GB, gpu_name="MX150", ram_bytes=12 * GB)
    found = recommend(QUANTS, small)
    assert found is not None
    assert (found.filename, found.fits_in) == ("m-Q8_0.gguf", "memory")
    assert "12.0 GB of RAM" in found.reason
    assert "2.0 GB of GPU memory" in found.reason
    tensors = [Candidate("model.safetensors", 5 * GB)]
    assert recommend(tensors, small).fits_in == "nothing"  # type: ignore[union-attr]
    assert recommend(tensors, small._replace(gpu_bytes=None)).fits_in == "memory"  # type: ignore[union-attr]


def test_nothing_fits_and_it_says_so_with_the_smallest() -> None:
    found = recommend(QUANTS, Machine(gpu_bytes=2 * GB, gpu_name="MX150", ram_bytes=3 * GB))
    assert found is not None
    assert (found.filename, found.fits_in) == ("m-Q2_K.gguf", "nothing")
    assert found.reason == (
        "Nothing fits into 2.0 GB of the MX150 and 3.0 GB of RAM: Q2_K (3.0 GB) is the smallest and needs about 4.6 GB."
    )


def test_without_hardware_the_smallest_of_at_least_four_bits_is_a_neutral_choice() -> None:
    found = recommend(QUANTS, Machine())
    assert found is not None
    assert (found.filename, found.fits_in) == ("m-Q4_K_S.gguf", None)
    assert "Nothing is known" in found.reason


def test_unknown_sizes_and_no_variants() -> None:
    assert recommend([], RTX) is None
    unsized = [variant._replace(size_bytes=None) for variant in QUANTS]
    found = recommend(unsized, RTX)
    assert found is not None
    assert (found.filename, found.fits_in) == ("m-Q4_K_M.gguf", None)
    only = recommend([Candidate("mmproj.gguf", GB)], RTX)
    assert only is not None
    assert only.filename == "mmproj.gguf"


BYTES = st.integers(1, 100 * GB)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.sampled_from(["a.gguf", "b.gguf", "c.safetensors", "d/e.gguf", "mmproj.gguf"]),
        st.none() | BYTES,
        st.none() | st.sampled_from([1.5, 2, 4, 5, 8, 16, 32]),
        st.sampled_from(["", "Q4_K_M"]),
    ),
    max_size=6,
)
MACHINES = st.builds(Machine, st.none() | BYTES, st.sampled_from(["", "GPU X"]), st.none() | BYTES)


@given(CANDIDATES, MACHINES)
def test_what_is_said_to_fit_fits_and_nothing_better_does(variants: list[Candidate], machine: Machine) -> None:
    found = recommend(variants, machine)
    if not variants:
        assert found is None
        return
    assert found is not None
    assert found.reason
    models = [v for v in variants if "mmproj" not in v.filename] or variants
    chosen = [v for v in models if v.filename == found.filename]
    assert chosen
    fit_gpu = [v for v in models if v.size_bytes and needed_bytes(v.size_bytes) <= (machine.gpu_bytes or 0)]
    if found.fits_in == "gpu":
        assert any(v in fit_gpu for v in chosen)
        most = max(min(v.bits or 0, 16) for v in fit_gpu)
        assert any(min(v.bits or 0, 16) == most for v in chosen if v in fit_gpu)
    else:
        assert not fit_gpu
    if found.fits_in == "nothing":
        smallest = min(v.size_bytes for v in models if v.size_bytes)
        assert any(v.size_bytes == smallest for v in chosen)
        assert words.size(smallest) in found.reason


@given(CANDIDATES, BYTES, BYTES)
def test_more_memory_never_gives_fewer_bits(variants: list[Candidate], one: int, other: int) -> None:
    def bits(gpu_bytes: int) -> float:
        found = recommend(variants, Machine(gpu_bytes=gpu_bytes))
        if found is None or found.fits_in != "gpu":
            return -1
        same = [v.bits or 0 for v in variants if v.filename == found.filename and v.size_bytes]
        return min(max(same), 16)

    assume_distinct = len({v.filename for v in variants}) == len(variants)
    if assume_distinct:
        assert bits(min(one, other)) <= bits(max(one, other))


@given(CANDIDATES, MACHINES, st.randoms())
def test_the_order_of_the_variants_does_not_matter(variants: list[Candidate], machine: Machine, random: object) -> None:
    shuffled = list(variants)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert recommend(shuffled, machine) == recommend(variants, machine) or len({v[0] for v in variants}) < len(variants)
