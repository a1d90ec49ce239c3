import pytest

from pointins_ext.embedded.registry import Registry


@pytest.fixture
def registry():
    registry = Registry("things")

    @registry.register_module
    class Bare:
        def __init__(self, backbone, width=3):
            self.backbone, self.width = backbone, width

    @registry.register_module("Named-v1m1")
    class Other:
        def __init__(self, error=None, **kwargs):
            if error is not None:
                raise error

    @registry.register_module()
    class Nested:
        def __init__(self, inner):
            self.inner = registry.build(inner)

    return registry


def test_register_get_and_build(registry):
    assert len(registry) == 3 and "Bare" in registry and registry.get("Nothing") is None
    thing = registry.build(dict(type="Bare", backbone=1), default_args=dict(width=5, backbone=7))
    assert (thing.backbone, thing.width) == (1, 5)
    assert isinstance(registry.build(dict(type=registry.get("Named-v1m1"))), registry.get("Named-v1m1"))


@pytest.mark.parametrize(
    "cfg, error, match",
    [
        (dict(type="Bar", backbone=1), KeyError, "'Bar' is not in the registry 'things'; did you mean 'Bare'"),
        (dict(type="SPVCNN"), KeyError, "install Pointcept"),
        (dict(backbone=1), KeyError, "'type' is missing"),
        (dict(type="Bare"), ValueError, "Bare: missing key 'backbone'"),
        (dict(type="Bare", backbone=1, widht=2), ValueError, "unknown key 'widht'; did you mean 'width'"),
        (dict(type="Nested", inner=dict(type="Bare")), ValueError, "Nested: Bare: missing key 'backbone'"),
        ("Bare", ValueError, "a component is a dict"),
    ],
)
def test_errors_name_what_to_change(registry, cfg, error, match):
    with pytest.raises(error, match=match):
        registry.build(cfg)


@pytest.mark.parametrize(
    "error", [ValueError("wrong"), KeyError("wrong"), FileNotFoundError(2, "wrong", "scan.ply"), RuntimeError("wrong")]
)
def test_an_error_keeps_its_identity_and_gets_the_name(registry, error):
    with pytest.raises(type(error), match="Named-v1m1: wrong") as caught:
        registry.build(dict(type="Named-v1m1", error=error))
    # a plain ValueError of what is not ours, as torch's optimizers raise it, is the user's to repair
    assert caught.value is error or (type(error) is ValueError and caught.value.__cause__ is error)


def test_a_name_is_given_once(registry):
    with pytest.raises(KeyError, match="already registered"):
        registry.register_module("Bare", module=dict)
    registry.register_module("Bare", module=dict, force=True)
    with pytest.raises(KeyError, match="no dots"):
        registry.register_module("a.b", module=dict)
