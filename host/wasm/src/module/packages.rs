//! Finds circles among the packages that a module's component type names. wit-parser follows dependencies until none is
//! left: a circle of packages, which no toolchain produces, would overflow its stack and end the process.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentType, ComponentTypeDeclaration,
    ComponentTypeRef, InstanceTypeDeclaration, Parser, Payload,
};

/// Packages by name and version, such as `pointsman:router@0.1.0`.
type Packages = BTreeSet<String>;

/// The packages that each package needs.
#[derive(Debug, Default)]
pub struct Dependencies(BTreeMap<String, Packages>);

/// The type at a type index.
#[derive(Debug, Default, Clone)]
struct IndexedType {
    /// The packages that it comes from, or that its definition refers to.
    packages: Packages,
}

impl Dependencies {
    /// Adds the packages in a `component-type` section. Anything that can't be read is left to wit-component, which
    /// reports it.
    pub fn add(&mut self, section: &[u8]) {
        for payload in Parser::new(0).parse_all(section) {
            let Ok(Payload::ComponentTypeSection(types)) = payload else { continue };
            for ty in types.into_iter().flatten() {
                if let ComponentType::Component(declarations) = ty {
                    self.component(&declarations);
                }
            }
        }
    }

    /// Packages that depend on each other in a circle, if there are any.
    pub fn circle(mut self) -> Option<Packages> {
        loop {
            let before = self.0.len();
            let open: Packages = self.0.keys().cloned().collect();
            self.0.retain(|_, needs| needs.iter().any(|needed| open.contains(needed)));
            match self.0.len() {
                0 => return None,
                left if left == before => return Some(open),
                _ => {}
            }
        }
    }

    /// Reads a component type: a world, or the type that encloses one. Returns the packages that it names.
    fn component(&mut self, declarations: &[ComponentTypeDeclaration<'_>]) -> Packages {
        let (mut types, mut instances, mut used) =
            (Vec::<IndexedType>::new(), Vec::<Option<String>>::new(), Packages::new());
        for declaration in declarations {
            match declaration {
                ComponentTypeDeclaration::Type(ComponentType::Component(inner)) => {
                    let packages = self.component(inner);
                    types.push(IndexedType { packages });
                }
                ComponentTypeDeclaration::Type(ComponentType::Instance(inner)) => {
                    let packages = referred_to(inner, &types);
                    types.push(IndexedType { packages });
                }
                // A type of the world's own.
                ComponentTypeDeclaration::Type(_) => types.push(IndexedType::default()),
                ComponentTypeDeclaration::Alias(ComponentAlias::InstanceExport { kind, instance_index, .. }) => {
                    let instance = index(&instances, *instance_index).cloned().flatten();
                    match kind {
                        ComponentExternalKind::Type => {
                            types.push(IndexedType { packages: instance.into_iter().collect() });
                        }
                        ComponentExternalKind::Instance => instances.push(None),
                        _ => {}
                    }
                }
                ComponentTypeDeclaration::Alias(ComponentAlias::Outer {
                    kind: ComponentOuterAliasKind::Type, ..
                }) => {
                    types.push(IndexedType::default());
                }
                ComponentTypeDeclaration::Import(import) => {
                    self.external(import.name.name, import.ty, &mut types, &mut instances, &mut used);
                }
                ComponentTypeDeclaration::Export { name, ty } => {
                    self.external(name.name, *ty, &mut types, &mut instances, &mut used);
                }
                ComponentTypeDeclaration::Alias(_) | ComponentTypeDeclaration::CoreType(_) => {}
            }
        }
        used
    }

    /// Reads an import or an export: its package needs those that its type refers to.
    fn external(
        &mut self,
        name: &str,
        ty: ComponentTypeRef,
        types: &mut Vec<IndexedType>,
        instances: &mut Vec<Option<String>>,
        used: &mut Packages,
    ) {
        let package = package(name);
        match ty {
            ComponentTypeRef::Instance(ty) | ComponentTypeRef::Component(ty) => {
                let needs = index(types, ty).map(|known| known.packages.clone()).unwrap_or_default();
                used.extend(needs.iter().cloned());
                if let Some(package) = &package {
                    used.insert(package.clone());
                    let needs = needs.into_iter().filter(|needed| needed != package);
                    self.0.entry(package.clone()).or_default().extend(needs);
                }
            }
            ComponentTypeRef::Type(_) => types.push(IndexedType::default()),
            ComponentTypeRef::Module(_) | ComponentTypeRef::Func(_) | ComponentTypeRef::Value(_) => {}
        }
        if let ComponentTypeRef::Instance(_) = ty {
            instances.push(package);
        }
    }
}

/// The packages whose types an instance type takes from its outer scope.
fn referred_to(declarations: &[InstanceTypeDeclaration<'_>], types: &[IndexedType]) -> Packages {
    let mut packages = Packages::new();
    for declaration in declarations {
        match declaration {
            InstanceTypeDeclaration::Alias(ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::Type,
                index: at,
                ..
            }) => packages.extend(index(types, *at).into_iter().flat_map(|known| known.packages.iter().cloned())),
            InstanceTypeDeclaration::Type(ComponentType::Instance(inner)) => packages.extend(referred_to(inner, types)),
            _ => {}
        }
    }
    packages
}

fn index<T>(items: &[T], at: u32) -> Option<&T> {
    items.get(usize::try_from(at).ok()?)
}

/// `pointsman:router/types@0.1.0` is of `pointsman:router@0.1.0`.
fn package(name: &str) -> Option<String> {
    let (package, rest) = name.split_once('/')?;
    let version = rest.split_once('@').map(|(_, version)| version);
    Some(version.map_or_else(|| package.to_owned(), |version| format!("{package}@{version}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependencies(edges: &[(&str, &[&str])]) -> Dependencies {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Dependencies(edges.iter().map(|(package, needs)| ((*package).to_owned(), owned(needs))).collect())
    }

    #[test]
    fn cycles_are_found() {
        assert_eq!(dependencies(&[]).circle(), None);
        assert_eq!(
            dependencies(&[("a:a", &["b:b"]), ("b:b", &["c:c"]), ("c:c", &[]), ("d:d", &["b:b"])]).circle(),
            None
        );
        let circle = dependencies(&[("a:a", &["b:b"]), ("b:b", &["a:a"]), ("c:c", &[])]).circle();
        assert_eq!(circle, Some(["a:a".to_owned(), "b:b".to_owned()].into()));
        assert!(dependencies(&[("a:a", &["b:b"]), ("b:b", &["c:c"]), ("c:c", &["a:a"])]).circle().is_some());
    }

    #[test]
    fn package_of_an_interface_has_its_version() {
        assert_eq!(package("pointsman:router/types@0.1.0").as_deref(), Some("pointsman:router@0.1.0"));
        assert_eq!(package("test:leak/pool").as_deref(), Some("test:leak"));
        assert_eq!(package("select-peer"), None);
    }
}
