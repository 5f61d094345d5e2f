//! Where memory has no pages: plain memory under the same name.

/// Some values.
pub struct Guarded<T>(Vec<T>);

impl<T: Copy> Guarded<T> {
    /// A copy of `values`.
    pub fn new(values: &[T]) -> Self {
        Self(values.to_vec())
    }

    /// The values.
    pub fn get(&self) -> &[T] {
        &self.0
    }
}
