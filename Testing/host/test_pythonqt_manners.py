"""Qt classes behave in the host as PythonQt shows them in Slicer, not as PySide6 does elsewhere."""

from __future__ import annotations

import functools

import pytest


@pytest.fixture
def qt(a_host):
    """The module that Slicer's Python calls qt."""
    import qt

    return qt


def test_properties_are_attributes_and_setters_stay(qt):
    box = qt.QCheckBox("first")
    box.text = "second"
    assert box.text == "second"
    box.setText("third")
    assert (box.text, box.enabled, box.checked) == ("third", True, False)


def test_a_property_without_a_setter_cannot_be_written(qt):
    with pytest.raises(AttributeError, match="not writable"):
        qt.QLabel().width = 5


def test_static_functions_of_a_propertys_name_stay_callable_on_the_class(qt, a_host):
    fired = []
    qt.QTimer.singleShot(0, lambda: fired.append(True))
    timer = qt.QTimer()
    timer.singleShot = True
    assert (timer.singleShot, qt.QCoreApplication.applicationName()) == (True, "Slicer")
    a_host.wait_until(lambda: fired)


@pytest.mark.parametrize("name", ["txt", "foo", "checkd"])
def test_writing_an_unknown_attribute_raises(qt, name):
    with pytest.raises(AttributeError, match=name):
        setattr(qt.QPushButton(), name, 1)


def test_a_method_cannot_be_overwritten(qt):
    with pytest.raises(AttributeError, match="click"):
        qt.QPushButton().click = print


def test_classes_written_in_python_may_have_attributes_and_properties_of_their_own(qt):
    class Panel(qt.QWidget):
        def __init__(self):
            super().__init__()
            self.count = 1

        @property
        def double(self):
            return 2 * self.count

        @double.setter
        def double(self, value):
            self.count = value // 2

    panel = Panel()
    panel.double = 8
    panel.toolTip = "words"
    assert (panel.count, panel.toolTip) == (4, "words")


def test_unknown_names_are_not_in_the_module(qt):
    with pytest.raises(AttributeError, match="QPushButon"):
        qt.QPushButon  # noqa: B018


def test_callbacks_get_no_more_than_they_take_and_no_more_than_the_signature_has(qt):
    got = []
    button = qt.QPushButton()
    button.checkable = True
    button.connect("clicked(bool)", lambda: got.append("none"))
    button.connect("clicked(bool)", lambda checked: got.append(checked))
    button.connect("clicked()", lambda checked="default": got.append(checked))
    button.connect("clicked(bool)", functools.partial(got.append))
    button.click()
    assert got == ["none", True, "default", True]


def test_a_method_is_connected_and_disconnected_by_name(qt):
    class Receiver:
        def __init__(self):
            self.calls = 0

        def onClicked(self):
            self.calls += 1

    receiver, button = Receiver(), qt.QPushButton()
    button.connect("clicked()", receiver.onClicked)
    button.click()
    button.disconnect("clicked()", receiver.onClicked)
    button.click()
    assert receiver.calls == 1


@pytest.mark.parametrize("signature", ["clickd()", "clicked", "clicked(int)"])
def test_connecting_an_unknown_signal_raises(qt, signature):
    with pytest.raises(ValueError, match="no signal"):
        qt.QPushButton().connect(signature, print)


def test_objects_tell_their_class_and_have_a_name(qt):
    label = qt.QLabel()
    label.name = "title"
    assert (label.objectName, label.name, label.className()) == ("title", "title", "QLabel")


def test_a_child_process_runs_and_tells_when_it_is_over(qt, a_host):
    import sys

    over = []
    process = qt.QProcess()
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: over.append(code))
    process.start(sys.executable, ["-c", "print('words'); raise SystemExit(3)"])
    a_host.wait_until(lambda: over)
    assert (over, bytes(process.readAllStandardOutput().data()).strip()) == ([3], b"words")


def test_settings_are_the_hosts_own_and_temporary(qt, a_host):
    qt.QSettings().setValue("Sample/Address", "http://example.org")
    assert qt.QSettings().fileName().startswith(a_host.app.temporaryPath.rpartition("/")[0])
    a_host.close()
    assert not qt.QFile.exists(qt.QSettings().fileName())


def test_folders_for_data_are_temporary_while_the_host_runs(qt, a_host):
    where = qt.QStandardPaths.writableLocation(qt.QStandardPaths.AppDataLocation)
    assert where.startswith(a_host.app.temporaryPath.rpartition("/")[0])
    a_host.close()
    assert qt.QStandardPaths.writableLocation(qt.QStandardPaths.AppDataLocation) != where


def test_an_error_in_a_callback_is_kept(qt, a_host):
    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        a_host.check()
    a_host.errors.clear()


def test_the_meter_sees_a_blocked_gui_thread(qt, a_host):
    import time

    with a_host.blockage() as meter:
        qt.QTimer.singleShot(20, lambda: time.sleep(0.2))
        a_host.wait_until(lambda: meter.longest_ms > 150, 10)
    assert meter.firings > 0
