//! Which typed claims were made of these claims already?

use std::{
    any::{Any, TypeId},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// So many claims types one service may use for one token; further ones are parsed for each request.
const MOST_TYPES: usize = 8;

/// Claims that serve many requests, parsed once per type. The first type, which is nearly always the only one, is found
/// without a lock.
#[derive(Default)]
pub(crate) struct Typed {
    first: OnceLock<Arc<dyn Any + Send + Sync>>,
    more: Mutex<Vec<(TypeId, Arc<dyn Any + Send + Sync>)>>,
}

impl Typed {
    /// The claims of this type; `parse` makes them where they are not there yet. A failure is not kept.
    pub(crate) fn get<C: Send + Sync + 'static, E>(
        &self,
        parse: impl FnOnce() -> Result<Arc<C>, E>,
    ) -> Result<Arc<C>, E> {
        if let Some(first) = self.first.get() {
            if first.is::<C>() {
                if let Ok(claims) = Arc::downcast(Arc::clone(first)) {
                    return Ok(claims);
                }
            } else if let Some(claims) = self.among_more() {
                return Ok(claims);
            }
        }
        let claims = parse()?;
        let kept: Arc<dyn Any + Send + Sync> = Arc::clone(&claims) as _;
        if let Err(kept) = self.first.set(kept) {
            let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
            if more.len() < MOST_TYPES {
                more.push((TypeId::of::<C>(), kept));
            }
        }
        Ok(claims)
    }

    fn among_more<C: Send + Sync + 'static>(&self) -> Option<Arc<C>> {
        let more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, found) = more.iter().find(|(known, _)| *known == TypeId::of::<C>())?;
        Arc::downcast(Arc::clone(found)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_parsed_once_and_sees_its_own() {
        let typed = Typed::default();
        let never = || -> Result<Arc<u8>, ()> { panic!("it is there") };
        assert!(typed.get::<u8, ()>(|| Err(())).is_err(), "a failure is not kept");
        assert_eq!(typed.get::<u8, ()>(|| Ok(Arc::new(1))), Ok(Arc::new(1)));
        assert_eq!(typed.get::<u16, ()>(|| Ok(Arc::new(2))), Ok(Arc::new(2)));
        assert_eq!(typed.get::<u32, ()>(|| Ok(Arc::new(3))), Ok(Arc::new(3)));
        assert_eq!(typed.get(never), Ok(Arc::new(1)));
        assert_eq!(typed.get::<u16, ()>(|| Err(())), Ok(Arc::new(2)));
        assert_eq!(typed.get::<u32, ()>(|| Err(())), Ok(Arc::new(3)));
    }
}
