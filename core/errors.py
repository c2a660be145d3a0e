"""The errors this project raises on bad input: one sentence that names the place and the numbers.

Pages turn a LabError into st.error; the command line into one line on standard error and exit status 2.
"""


class LabError(ValueError):
    """Something given to the lab cannot be used; the message says where and why."""


class SpecError(LabError):
    """An architecture that cannot be built."""


class RecipeError(LabError):
    """A training recipe that cannot be followed."""


class DataError(LabError):
    """A data set that is missing, cut short or not what it should be."""


class CheckpointError(LabError):
    """A checkpoint whose weights and card do not agree, or that is not all there."""


class DeviceError(LabError):
    """A device that was asked for and is not there."""


class DrawingError(LabError):
    """A drawing or picture from which no digit can be prepared."""


class TrainingError(LabError):
    """A training run that cannot go on, such as one whose loss is no longer a number."""


class RunError(LabError):
    """A training run that is not in the store, or a store of runs that cannot be read or written."""


class HandwritingError(LabError):
    """A drawing that cannot be kept in the class's own set, or a set that cannot be read."""


class VoteError(LabError):
    """A class game that is not there, or a vote that cannot be counted."""


class PredictionError(LabError):
    """What someone said that a run would come to, which cannot be read."""


class SettingsError(LabError):
    """A setting, in the environment or in secrets.toml, that cannot be used."""


class ClassError(LabError):
    """Something that only a run's owner or the teacher may do, or a passphrase that does not fit."""


class ClusterError(LabError):
    """A cluster that cannot be reached, or that has no room for what it is asked to do."""


class NodeLostError(ClusterError):
    """A machine of the cluster that died while it had a run; on another one the run can go on."""


class BackupError(LabError):
    """A backup that cannot be written, or one that cannot be put back."""
