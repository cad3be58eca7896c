//! The WIT interface `request`: accessors of the request that is being decided. Each access is noted as a read.

use http::HeaderName;
use http::header::HeaderValue;
use pointsman_rules::reads::Read;
use wasmtime::component::Resource;

use crate::abi::v0_1::Subject;
use crate::abi::v0_1::bindings::pointsman::router::request::{ClientTls, Host, HostRequest};
use crate::abi::v0_1::bindings::pointsman::router::types;
use crate::state::State;

type Handle = Resource<Subject>;

impl types::Host for State {}

impl Host for State {}

impl HostRequest for State {
    fn method(&mut self, _: Handle) -> wasmtime::Result<String> {
        self.note(Read::Method)?;
        Ok(self.inputs.head.method().to_owned())
    }

    fn scheme(&mut self, _: Handle) -> wasmtime::Result<String> {
        self.note(Read::Scheme)?;
        Ok(self.inputs.head.scheme().to_owned())
    }

    fn authority(&mut self, _: Handle) -> wasmtime::Result<String> {
        self.note(Read::Authority)?;
        Ok(self.inputs.head.authority().to_owned())
    }

    fn path(&mut self, _: Handle) -> wasmtime::Result<String> {
        self.note(Read::Path)?;
        Ok(self.inputs.head.path().to_owned())
    }

    fn query(&mut self, _: Handle) -> wasmtime::Result<Option<String>> {
        self.note(Read::Query)?;
        Ok(self.inputs.head.query().map(str::to_owned))
    }

    fn header(&mut self, _: Handle, name: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let Some(name) = self.field_name(&name)? else { return Ok(None) };
        let value = self.inputs.head.header(&name).map(|value| value.as_bytes().to_vec());
        self.note(Read::Header(name))?;
        Ok(value)
    }

    fn header_text(&mut self, _: Handle, name: String) -> wasmtime::Result<Option<String>> {
        let Some(name) = self.field_name(&name)? else { return Ok(None) };
        let value = self.inputs.head.header(&name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        self.note(Read::HeaderText(name))?;
        Ok(value)
    }

    fn header_values(&mut self, _: Handle, name: String) -> wasmtime::Result<Vec<Vec<u8>>> {
        let Some(name) = self.field_name(&name)? else { return Ok(Vec::new()) };
        let values = self.inputs.head.header_values(&name).map(|value| value.as_bytes().to_vec()).collect();
        self.note(Read::HeaderValues(name))?;
        Ok(values)
    }

    fn headers(&mut self, _: Handle) -> wasmtime::Result<Vec<types::Header>> {
        self.note(Read::Headers)?;
        let header = |(name, value): (&HeaderName, &HeaderValue)| types::Header {
            name: name.as_str().to_owned(),
            value: value.as_bytes().to_vec(),
        };
        Ok(self.inputs.head.headers().map(header).collect())
    }

    fn client_ip(&mut self, _: Handle) -> wasmtime::Result<String> {
        self.note(Read::ClientIp)?;
        Ok(self.inputs.head.client_ip())
    }

    fn listener(&mut self, _: Handle) -> wasmtime::Result<String> {
        self.note(Read::Listener)?;
        Ok(self.inputs.head.listener().to_owned())
    }

    fn tls(&mut self, _: Handle) -> wasmtime::Result<Option<ClientTls>> {
        self.note(Read::Tls)?;
        Ok(self.inputs.head.tls().map(ClientTls::from))
    }

    fn attempts(&mut self, _: Handle) -> wasmtime::Result<Vec<types::Attempt>> {
        self.note(Read::Attempts)?;
        Ok(self.inputs.attempts.iter().map(Into::into).collect())
    }

    fn drop(&mut self, _: Handle) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl State {
    /// An invalid name can't be among the headers, so asking for it is not a read.
    fn field_name(&mut self, name: &str) -> wasmtime::Result<Option<HeaderName>> {
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        if name.is_none() {
            self.count_call()?;
        }
        Ok(name)
    }
}
