//! How is one way to answer a request called? By the same driver for all of them.

use std::{convert::Infallible, marker::PhantomData, ops::Range, pin::Pin, sync::Arc};

use aws_lc_rs::signature::ParsedPublicKey;
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use tower::Service;

pub(crate) type Ending<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One line of the tables. What is dynamic here is a batch of calls, never a call.
pub(crate) trait Subject: Send {
    /// Answers a request for each turn, with the tokens in turn, and panics unless all of them are good.
    fn serve<'a>(&'a mut self, fields: &'a [HeaderValue], turns: Range<usize>) -> Ending<'a, ()>;

    /// Answers one request.
    fn answer(&mut self, field: HeaderValue) -> Ending<'_, StatusCode>;

    /// A clone of the service for another thread, which shares what the middleware shares.
    fn twin(&self) -> Box<dyn Subject>;
}

/// A router, of whichever version of axum.
pub(crate) struct Routed<S, B> {
    service: S,
    body: PhantomData<fn() -> B>,
}

impl<S, B> Routed<S, B>
where
    S: Service<Request<B>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    B: Default + 'static,
{
    pub(crate) fn boxed(service: S) -> Box<dyn Subject> {
        Box::new(Self { service, body: PhantomData })
    }

    async fn call(&mut self, field: HeaderValue) -> StatusCode {
        let mut request = Request::new(B::default());
        request.headers_mut().insert(AUTHORIZATION, field);
        match self.service.call(request).await {
            Ok(response) => response.status(),
            Err(never) => match never {},
        }
    }
}

impl<S, B> Subject for Routed<S, B>
where
    S: Service<Request<B>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    B: Default + 'static,
{
    fn serve<'a>(&'a mut self, fields: &'a [HeaderValue], turns: Range<usize>) -> Ending<'a, ()> {
        Box::pin(async move {
            for turn in turns {
                let status = self.call(fields[turn % fields.len()].clone()).await;
                assert_eq!(status, StatusCode::OK, "a good token is refused while the clock runs");
            }
        })
    }

    fn answer(&mut self, field: HeaderValue) -> Ending<'_, StatusCode> {
        Box::pin(self.call(field))
    }

    fn twin(&self) -> Box<dyn Subject> {
        Self::boxed(self.service.clone())
    }
}

/// The control below which nothing can be: the signature check alone, by a key that was parsed before.
#[derive(Clone)]
pub(crate) struct RawCheck {
    pub(crate) key: Arc<ParsedPublicKey>,
    /// Signing input and signature, in the order of the tokens.
    pub(crate) signed: Arc<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Subject for RawCheck {
    fn serve<'a>(&'a mut self, fields: &'a [HeaderValue], turns: Range<usize>) -> Ending<'a, ()> {
        Box::pin(async move {
            for turn in turns {
                let (input, signature) = &self.signed[turn % fields.len()];
                self.key.verify_sig(input, signature).expect("the signature is good");
            }
        })
    }

    fn answer(&mut self, _: HeaderValue) -> Ending<'_, StatusCode> {
        Box::pin(async { StatusCode::OK })
    }

    fn twin(&self) -> Box<dyn Subject> {
        Box::new(self.clone())
    }
}
