"""Training of all models: tasks, the loop that runs them, data loading, monitoring and export."""

from d2m.extras import require

require("lightning", "train", "training")
