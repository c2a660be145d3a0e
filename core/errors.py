"""The errors that the lab raises for bad input: one sentence that names the place and the numbers.

Pages show a LabError with st.error; the command line prints it on standard error and exits with status 2.
"""


class LabError(ValueError):
    """Input that the lab cannot use; the message says where and why."""


class SpecError(LabError):
    """An architecture that cannot be built."""


class RecipeError(LabError):
    """A training recipe that cannot be followed."""


class DataError(LabError):
    """A data set that is missing, incomplete or changed."""


class CheckpointError(LabError):
    """A checkpoint that is incomplete, or whose weights do not belong to its card."""


class ImportingError(LabError):
    """A file that somebody brought and that the lab cannot take, or weights that do not fit a network."""


class DeviceError(LabError):
    """A device that this machine does not have."""


class DrawingError(LabError):
    """A drawing or picture without a digit that the lab can use."""


class TrainingError(LabError):
    """A training run that cannot continue, for example because its loss is not a number any more."""


class SearchError(LabError):
    """A search for a network that cannot be made, or that has nothing left to try."""


class RunError(LabError):
    """A training run that is not in the store, or a store of runs that cannot be read or written."""


class HandwritingError(LabError):
    """A drawing that cannot be kept in the class's own set, or a set that cannot be read."""


class VoteError(LabError):
    """A class game that does not exist, or a vote that cannot be counted."""


class PredictionError(LabError):
    """A prediction about a run that cannot be read."""


class SettingsError(LabError):
    """A setting, in the environment or in secrets.toml, that cannot be used."""


class ClassError(LabError):
    """An action that only the run's owner or the teacher may do, or a wrong passphrase."""


class ChangedError(LabError):
    """Something that has changed since it was shown to the person who now wants to replace or delete it."""


class ClusterError(LabError):
    """A cluster that cannot be reached, or that has too few resources for a job."""


class NodeLostError(ClusterError):
    """A machine of the cluster that died during a run; the run can continue on another machine."""


class BackupError(LabError):
    """A backup that cannot be written or restored."""
