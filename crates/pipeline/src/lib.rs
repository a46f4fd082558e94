//! Accepting, claiming, delivering and finishing work, in batches.
