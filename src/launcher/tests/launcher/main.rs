//! The real launcher on the real kernel: what it promises, held against programs that want something else.

#[cfg(test)]
mod bundles;
#[cfg(test)]
mod confinement;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod enforced;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod pinning;
#[cfg(test)]
mod running;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod witness;
