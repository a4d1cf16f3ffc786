//! A row: at least one of something, in order. A request is a row of one command, a bundle a row of several.

/// At least one, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row<T> {
    /// The first.
    pub(crate) first: T,
    /// What follows it; nothing for a single request.
    pub(crate) rest: Vec<T>,
}

impl<T> Row<T> {
    /// Nothing if there is not even one.
    pub(crate) fn of(all: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut all = all.into_iter();
        let first = all.next()?;
        Some(Self { first, rest: all.collect() })
    }

    /// Something of every one.
    pub(crate) fn map<U>(self, mut each: impl FnMut(T) -> U) -> Row<U> {
        let first = each(self.first);
        Row { first, rest: self.rest.into_iter().map(each).collect() }
    }

    /// Each with its fellow, as far as both rows go.
    pub(crate) fn zip<U>(self, other: Row<U>) -> Row<(T, U)> {
        Row { first: (self.first, other.first), rest: self.rest.into_iter().zip(other.rest).collect() }
    }

    /// Every one, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Every one, in order, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        std::iter::once(&mut self.first).chain(&mut self.rest)
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.rest.len().saturating_add(1)
    }

    /// The last.
    pub(crate) fn last(&self) -> &T {
        self.rest.last().unwrap_or(&self.first)
    }

    /// Whether there is more than one.
    pub(crate) fn is_several(&self) -> bool {
        !self.rest.is_empty()
    }
}

impl<T> From<T> for Row<T> {
    fn from(first: T) -> Self {
        Self { first, rest: Vec::new() }
    }
}

impl<T> IntoIterator for Row<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::iter::Once<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self.first).chain(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_its_order_and_is_never_empty() {
        assert_eq!(Row::<u8>::of([]), None);
        let row = Row::of([1, 2, 3]).unwrap();
        assert_eq!((row.len(), *row.last(), row.is_several()), (3, 3, true));
        assert_eq!(row.iter().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(row.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
        let one = Row::from(7);
        assert_eq!((one.len(), *one.last(), one.is_several()), (1, 7, false));
    }
}
