//! XML, as far as it is needed: elements by their local names, with the lines they stand at.

use roxmltree::{Document, Node};

/// Parses a document. There is no DOCTYPE in it, so that there are no entities but the five, and nothing outside is read.
pub(super) fn parse(text: &str) -> Result<Document<'_>, String> {
    Document::parse(text.trim_start_matches('\u{feff}').trim_start()).map_err(|error| match error {
        roxmltree::Error::DtdDetected => "a DOCTYPE is not read: take it out".to_owned(),
        error => format!("not XML: {error}"),
    })
}

/// The line of an element, from 1.
pub(super) fn line(node: Node<'_, '_>) -> usize {
    node.document().text_pos_at(node.range().start).row as usize
}

/// All elements of a name, at any depth.
pub(super) fn all<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants().filter(move |node| is(*node, name))
}

/// The first child of a name.
pub(super) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| is(*child, name))
}

/// The text of the first child of a name, without white space around it; none if it is empty.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name).and_then(|child| child.text()).map(str::trim).filter(|text| !text.is_empty())
}

/// The names of the children that are not among those.
pub(super) fn others<'a>(node: Node<'a, '_>, known: &[&str]) -> Vec<&'a str> {
    let names = node.children().filter(Node::is_element).map(|child| child.tag_name().name());
    names.filter(|name| !known.contains(name)).collect()
}

/// An element by its local name, in whatever namespace.
pub(super) fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}
